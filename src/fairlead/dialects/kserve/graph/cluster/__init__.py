"""How an InferenceGraph lies in a cluster, and what its objects there make of its status."""
