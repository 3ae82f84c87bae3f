"""The annotations in `spec.annotations` and `runners[].annotations` that say how a part runs, by Yatai's names."""

from collections.abc import Mapping

_DOMAIN = "yatai.ai"
STRATEGY = f"{_DOMAIN}/deployment-strategy"
DEBUG = f"{_DOMAIN}/enable-debug-mode"
STEALING = f"{_DOMAIN}/enable-stealing-traffic-debug-mode"
DEBUG_RECEIVES = f"{_DOMAIN}/enable-debug-pod-receive-production-traffic"
PRIVILEGED = f"{_DOMAIN}/enable-container-privileged"
PTRACE = f"{_DOMAIN}/enable-container-ptrace"
ROOT = f"{_DOMAIN}/run-container-as-root"
HOST_IPC, HOST_NETWORK, HOST_PID = (f"{_DOMAIN}/enable-host-{what}" for what in ("ipc", "network", "pid"))
PROXY_LIMITS_CPU, PROXY_LIMITS_MEMORY, PROXY_REQUESTS_CPU, PROXY_REQUESTS_MEMORY = (
    f"{_DOMAIN}/proxy-sidecar-resources-{side}-{name}" for side in ("limits", "requests") for name in ("cpu", "memory")
)
COLD_START = "fairlead.dev/cold-start-timeout"
"""Seconds that a request may wait while no replica is ready."""
CLUSTER_ONLY = frozenset(
    {
        STRATEGY,
        DEBUG,
        STEALING,
        DEBUG_RECEIVES,
        PRIVILEGED,
        PTRACE,
        ROOT,
        HOST_IPC,
        HOST_NETWORK,
        HOST_PID,
        PROXY_LIMITS_CPU,
        PROXY_LIMITS_MEMORY,
        PROXY_REQUESTS_CPU,
        PROXY_REQUESTS_MEMORY,
    }
)
STRATEGIES: Mapping[str, Mapping[str, object]] = {
    "RollingUpdate": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    "Recreate": {"type": "Recreate"},
    "RampedSlowRollout": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
    "BestEffortControlledRollout": {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "20%"},
    },
}


def is_on(annotations: Mapping[str, str], name: str) -> bool:
    """Whether an annotation asks for something."""
    return annotations.get(name, "").lower() == "true"
