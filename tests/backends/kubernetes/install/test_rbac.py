"""What the operator's account may do, and above all what it may not."""

from typing import Any

import pytest

from fairlead.backends.kubernetes.install import rbac
from support.doc_pages import ROOT
from support.installing import KINDS, SEEDS, installation

Rule = dict[str, Any]
SELDON, KSERVE = "machinelearning.seldon.io", "serving.kserve.io"


def _objects(**values: Any) -> dict[str, list[Rule]]:
    made = rbac.objects(installation(values), KINDS, SEEDS)
    return {one["kind"]: one["rules"] for one in made if "rules" in one}


def _may(rules: list[Rule], verb: str, group: str, resource: str, name: str = "") -> bool:
    """As Kubernetes decides it, without wildcards, which there are none of."""
    return any(
        verb in rule["verbs"]
        and group in rule["apiGroups"]
        and resource in rule["resources"]
        and (not rule.get("resourceNames") or name in rule["resourceNames"])
        for rule in rules
    )


ALLOWED = [
    *[(verb, SELDON, "seldondeployments") for verb in ("get", "list", "watch")],
    *[("update", group, plural) for group, plural in ((SELDON, "seldondeployments/status"),)],
    ("update", KSERVE, "inferenceservices/status"),
    ("update", KSERVE, "inferenceservices/finalizers"),
    ("list", KSERVE, "clusterservingruntimes"),
    *[(verb, "apps", "deployments") for verb in ("create", "patch", "delete")],
    ("create", "", "services"),
    ("create", "", "configmaps"),
    ("create", "autoscaling", "horizontalpodautoscalers"),
    ("create", "gateway.networking.k8s.io", "httproutes"),
    ("create", "networking.istio.io", "virtualservices"),
    ("create", "serving.knative.dev", "services"),
    ("create", "keda.sh", "scaledobjects"),
    ("create", "", "events"),
    ("list", "", "pods"),
    ("list", "", "secrets"),
]
FORBIDDEN = [
    *[(verb, "", "secrets") for verb in ("create", "update", "patch", "delete")],
    *[(verb, "", "pods") for verb in ("create", "update", "patch", "delete")],
    ("create", "", "pods/exec"),
    ("get", "", "pods/log"),
    ("create", "", "serviceaccounts"),
    ("create", "", "serviceaccounts/token"),
    *[(verb, SELDON, "seldondeployments") for verb in ("create", "update", "delete")],
    *[(verb, KSERVE, "inferenceservices") for verb in ("create", "update", "delete")],
    *[(verb, KSERVE, "clusterservingruntimes") for verb in ("update", "delete")],
    *[
        (verb, "rbac.authorization.k8s.io", plural)
        for verb in ("get", "create", "update", "patch", "bind", "escalate")
        for plural in ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
    ],
    ("impersonate", "", "users"),
    *[(verb, "", "namespaces") for verb in ("create", "patch", "delete")],
    *[(verb, "", "nodes") for verb in ("get", "list", "patch")],
    *[(verb, "", "persistentvolumes") for verb in ("get", "create")],
    *[(verb, "apiextensions.k8s.io", "customresourcedefinitions") for verb in ("create", "patch", "delete")],
    ("create", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("patch", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("update", "apps", "deployments"),
    ("create", "apps", "daemonsets"),
]


@pytest.mark.parametrize(("verb", "group", "resource"), ALLOWED, ids=lambda part: str(part))
def test_what_it_works_with_it_may(verb: str, group: str, resource: str) -> None:
    assert _may(_objects()["ClusterRole"], verb, group, resource)


@pytest.mark.parametrize(("verb", "group", "resource"), FORBIDDEN, ids=lambda part: str(part))
@pytest.mark.parametrize("single", [False, True])
def test_what_it_has_no_business_with_it_may_not(verb: str, group: str, resource: str, single: bool) -> None:
    made = _objects(singleNamespace=single)

    assert not _may(made["ClusterRole"], verb, group, resource)
    assert not _may(made["Role"], verb, group, resource)


def test_there_are_no_wildcards() -> None:
    for rules in (*_objects().values(), *_objects(singleNamespace=True).values()):
        for rule in rules:
            assert "*" not in [*rule["verbs"], *rule["apiGroups"], *rule["resources"]]


def test_its_own_secret_and_its_own_webhooks_are_by_name() -> None:
    made = _objects()

    assert _may(made["Role"], "update", "", "secrets", "fairlead-webhook-certificate")
    assert not _may(made["Role"], "update", "", "secrets", "storage-config")
    hooks = ("admissionregistration.k8s.io", "mutatingwebhookconfigurations")
    assert _may(made["ClusterRole"], "patch", *hooks, "fairlead.fairlead-system")
    assert not _may(made["ClusterRole"], "patch", *hooks, "cert-manager")


def test_an_operator_of_one_namespace_reads_of_the_cluster_what_is_in_no_namespace() -> None:
    made = _objects(singleNamespace=True)

    assert _may(made["ClusterRole"], "list", KSERVE, "clusterservingruntimes")
    for resource in ("secrets", "configmaps", "services", "pods", "namespaces"):
        assert not _may(made["ClusterRole"], "list", "", resource)
    assert not _may(made["ClusterRole"], "list", SELDON, "seldondeployments")
    assert _may(made["Role"], "list", SELDON, "seldondeployments")
    assert _may(made["Role"], "create", "apps", "deployments")


def test_with_cert_manager_it_writes_neither_secret_nor_webhooks() -> None:
    made = _objects(certManager={"enabled": True})

    assert not _may(made["Role"], "update", "", "secrets", "fairlead-webhook-certificate")
    hooks = ("admissionregistration.k8s.io", "mutatingwebhookconfigurations")
    assert not _may(made["ClusterRole"], "patch", *hooks, "fairlead.fairlead-system")


def test_roles_that_are_somebody_elses_are_not_made() -> None:
    assert rbac.objects(installation({"rbac": {"create": False}}), KINDS, SEEDS) == []


def test_it_makes_runtimes_only_where_it_brings_them_along() -> None:
    create = ("create", KSERVE, "clusterservingruntimes")

    assert _may(_objects()["ClusterRole"], *create)
    assert not _may(_objects(runtimes={"create": False})["ClusterRole"], *create)


@pytest.mark.parametrize("single", [False, True])
def test_the_documentation_has_every_rule(single: bool) -> None:
    page = (ROOT / "docs" / "kubernetes-rbac.md").read_text()

    for rules in _objects(singleNamespace=single).values():
        for rule in rules:
            assert f"| {row(rule)} |" in page


def row(rule: Rule) -> str:
    """A rule as the documentation's tables have it."""
    group = rule["apiGroups"][0] or "core"
    names = f" ({', '.join(rule['resourceNames'])})" if rule.get("resourceNames") else ""
    resources = ", ".join(f"`{one}`" for one in rule["resources"])
    return f"`{group}` | {resources}{names} | {', '.join(rule['verbs'])}"
