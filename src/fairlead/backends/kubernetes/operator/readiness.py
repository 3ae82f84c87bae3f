"""Whether a workload is ready as it is wanted now: every pod of the newest template, and none of an older one waited
for.

Pure: read from the objects, the way `kubectl rollout status` reads them.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.backends.kubernetes.operator.resources import DEPLOYMENT, KNATIVE_SERVICE, TypeKey, key_of

WORKLOADS: frozenset[TypeKey] = frozenset({DEPLOYMENT.key, KNATIVE_SERVICE.key})


def is_workload(doc: Mapping[str, Any]) -> bool:
    """Whether this object has pods."""
    return key_of(doc).type in WORKLOADS


def is_ready(live: Mapping[str, Any]) -> bool:
    """Whether a workload answers with what it is meant to be now."""
    status = live.get("status") or {}
    if (status.get("observedGeneration") or 0) < (live["metadata"].get("generation") or 0):
        return False
    if key_of(live).type == KNATIVE_SERVICE.key:
        return _condition(status, "Ready") == "True"
    spec = live.get("spec") or {}
    count = spec.get("replicas", 1)
    wanted = 1 if count is None else int(count)
    updated, available = int(status.get("updatedReplicas") or 0), int(status.get("availableReplicas") or 0)
    return updated >= wanted and available >= wanted and int(status.get("replicas") or 0) <= max(wanted, updated)


def _condition(status: Mapping[str, Any], name: str) -> str:
    return next((str(one.get("status")) for one in status.get("conditions") or () if one.get("type") == name), "")
