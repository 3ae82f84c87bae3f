"""What an API server checks of built-in objects beyond their schemas: the rules that a manifest of ours could break."""

from collections.abc import Callable, Iterable
from typing import Any

from support.cluster import definitions
from support.cluster.kinds import Resource
from support.cluster.refusals import Cause
from support.cluster.validation import policies, services, workloads

Document = dict[str, Any]
_NETWORKING, _RBAC = "networking.k8s.io", "rbac.authorization.k8s.io"

_CHECKS: dict[tuple[str, str], Callable[[Document], Iterable[Cause]]] = {
    definitions.KEY: definitions.problems,
    ("", "pods"): workloads.pod,
    ("", "services"): services.service,
    ("", "configmaps"): policies.config_map,
    ("", "secrets"): policies.secret,
    ("apps", "deployments"): workloads.deployment,
    ("apps", "replicasets"): workloads.deployment,
    ("apps", "statefulsets"): workloads.deployment,
    ("autoscaling", "horizontalpodautoscalers"): policies.autoscaler,
    ("batch", "jobs"): workloads.job,
    ("policy", "poddisruptionbudgets"): policies.disruption_budget,
    (_NETWORKING, "ingresses"): services.ingress,
    (_NETWORKING, "networkpolicies"): services.network_policy,
    (_RBAC, "roles"): policies.role,
    (_RBAC, "clusterroles"): policies.role,
    (_RBAC, "rolebindings"): policies.binding,
    (_RBAC, "clusterrolebindings"): policies.binding,
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): policies.webhooks,
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): policies.webhooks,
}


def semantic_problems(resource: Resource, new: Document) -> list[Cause]:
    """Problems of an object whose shape is right."""
    check = _CHECKS.get(resource.key)
    return list(check(new)) if check is not None else []
