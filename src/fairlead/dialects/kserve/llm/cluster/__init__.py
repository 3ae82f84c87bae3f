"""How an LLMInferenceService lies in a cluster, and what its objects there make of its status."""
