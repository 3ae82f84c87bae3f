"""How many replicas each component should have, and why: rules as pure functions, and the one loop around them.

`knative` joins Knative's decision (`kpa`), which reads averages over `windows`, with the care it takes on the way to
zero (`applying`); `hpa` is Kubernetes' rule. `scaler` feeds both and tells the back-end.
"""
