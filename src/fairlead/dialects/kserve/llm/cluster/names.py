"""What an LLMInferenceService's objects are called, and the labels by which its pods are found."""

PORT = 8000


def workload(service: str) -> str:
    """The Deployment."""
    return f"{service}-kserve"


def service(service: str) -> str:
    """The Service in front of its pods."""
    return f"{service}-kserve-workload-svc"


def route(service: str) -> str:
    """The way in from outside."""
    return f"{service}-kserve-route"


def selector(service: str) -> dict[str, str]:
    """The labels of its pods."""
    return {
        "app.kubernetes.io/name": service,
        "app.kubernetes.io/part-of": "llminferenceservice",
        "kserve.io/component": "workload",
    }
