"""What goes wrong around the operator, and that it goes on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fairlead.backends.kubernetes.operator import Followed
from fairlead.dialects.base import ALONE, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.seldon import SeldonDialect
from fairlead.plan.layout import Layout
from support.cluster import Cluster, Fault
from support.operators import (
    DEPLOYMENT,
    FOLLOWED,
    available,
    events,
    options,
    reconciles,
    running_operator,
    sdep,
    state,
    until,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Buggy(SeldonDialect):
    """Stumbles over manifests called `bug`."""

    def lay_out(
        self, doc: Mapping[str, Any], *, settings: ClusterSettings, catalog: Catalog, world: World = ALONE
    ) -> Layout:
        if doc["metadata"]["name"] == "bug":
            raise KeyError("what nobody thought of")
        return super().lay_out(doc, settings=settings, catalog=catalog, world=world)


async def test_a_bug_fails_one_resource_and_the_others_go_on(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    followed: list[Followed] = [replace(one, dialect=Buggy(external_url="")) for one in FOLLOWED]
    await cluster.create(sdep("bug"))
    await cluster.create(sdep())

    async with running_operator(cluster, followed) as operator:
        await available(cluster)
        await until(lambda: state(cluster, "bug") == "Failed")
        assert reconciles(operator, "error") >= 1

    assert "what nobody thought of" in cluster.get("SeldonDeployment", "bug")["status"]["description"]
    assert [message for reason, message in events(cluster) if reason == "InternalError"]
    assert [record for record in caplog.records if record.exc_info and "bug" in record.getMessage()]


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.UNAVAILABLE, Fault.THROTTLED, Fault.RESET, Fault.LOST_ANSWER, Fault.CONFLICT]
)
async def test_every_sort_of_failed_call_is_made_again(cluster: Cluster, fault: Fault) -> None:
    verbs = ("update", "apply", "create") if fault is Fault.CONFLICT else ("get", "apply", "update", "create", "list")
    cluster.faults.add(fault, verbs=verbs, every=3, times=6, where=lambda call: call.user_agent != "test")

    async with running_operator(cluster):
        await cluster.create(sdep())
        await available(cluster)

    assert cluster.names("Deployment") == [DEPLOYMENT]


async def test_watches_that_break_end_or_expire_are_taken_up_again(cluster: Cluster) -> None:
    async with running_operator(cluster):
        await cluster.create(sdep("one"))
        await available(cluster, "one")
        for number, disturb in enumerate((cluster.cut_watches, cluster.end_watches, cluster.expire)):
            await until(lambda: cluster.watches("seldondeployments"))
            disturb()
            name = f"after-{number}"
            await cluster.create(sdep(name))
            await until(lambda name=name: cluster.find("Deployment", f"{name}-default-0-classifier"))  # type: ignore[misc]


async def test_what_was_deleted_while_nobody_watched_is_noticed(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster):
        await available(cluster)
        await until(lambda: cluster.watches("services"))
        blind = cluster.faults.add(Fault.UNAVAILABLE, verbs="watch", kinds="Service")
        cluster.expire()
        await until(lambda: blind.happened)

        await cluster.delete(cluster.get("Service", "iris-default"))
        cluster.faults.clear()

        await until(lambda: cluster.find("Service", "iris-default"))


async def test_a_kind_that_is_installed_later_is_noticed(cluster: Cluster) -> None:
    explained = sdep(componentSpecs=[{"kedaSpec": _KEDA, "spec": {"containers": [{"name": "classifier"}]}}])
    await cluster.create(explained)
    async with running_operator(cluster, chosen=options(settings=ClusterSettings(values={"keda": {"enabled": True}}))):
        await until(lambda: state(cluster) == "Failed")
        assert "ScaledObject" in cluster.get("SeldonDeployment", "iris")["status"]["description"]
        assert cluster.names("Deployment") == [DEPLOYMENT]
        await until(lambda: cluster.watches("customresourcedefinitions"))

        await cluster.install([_definition("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects")])

        await until(lambda: cluster.find("ScaledObject", DEPLOYMENT))


async def test_a_kind_that_may_not_be_listed_is_left_out_until_it_may(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    token = cluster.access.account("default", "operator")
    cluster.access.is_enforced = True
    await cluster.create(_role("some", [*_RULES]))
    await cluster.create(_binding("some"))

    async with running_operator(cluster, chosen=options(sweep_every_s=0.2), token=token) as operator:
        await cluster.create(sdep())
        await available(cluster)
        assert "ingresses are not looked at" in caplog.text
        assert not cluster.watches("ingresses")

        await cluster.create(_role("more", [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]))
        await cluster.create(_binding("more"))

        await until(lambda: cluster.watches("ingresses"))
        assert operator.world().list("SeldonDeployment")


_RULES: list[dict[str, Any]] = [
    {
        "apiGroups": ["machinelearning.seldon.io", "apps", "autoscaling", "policy", ""],
        "resources": ["*"],
        "verbs": ["*"],
    },
]


def _role(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io/v1"
    return {"apiVersion": group, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}


def _binding(role: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": "default"}],
    }


_KEDA = {"maxReplicaCount": 3, "triggers": [{"type": "cpu", "metadata": {"value": "50"}}]}


def _definition(group: str, version: str, kind: str, plural: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    one = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [one],
        },
    }
