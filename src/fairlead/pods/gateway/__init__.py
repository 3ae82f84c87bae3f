"""The gateway of a cluster without Knative: what stands between callers and workloads that come and go with them.

Routing, waiting, limits, metrics and the decision how many replicas there are, are those of one machine; what is here
tells them of a cluster's Deployments and pods, speaks HTTP to pods, and writes the number of replicas back.
"""
