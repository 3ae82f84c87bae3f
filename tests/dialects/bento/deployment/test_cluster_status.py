"""What a BentoDeployment tells in a cluster: whether its pods answer, and what they wait for."""

from typing import Any

import pytest

from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.plan.layout import Routing
from support.bentos_stored import bento, condition, deployment
from support.stored_docs import DocumentWorld

NOW = "2026-01-01T00:00:00Z"
WORLD = DocumentWorld([bento(runners=[{"name": "clf"}])])
OWN_GATEWAY = ClusterSettings(has_own_gateway=True)
INGRESS = ClusterSettings(routing=Routing.INGRESS)
SLEEPING: dict[str, Any] = {"bento": "iris", "autoscaling": {"minReplicas": 0, "maxReplicas": 2}}


def of(name: str, *, replicas: int = 1, ready: int = 1, updated: int | None = None, seen: int = 1) -> dict[str, Any]:
    """A Deployment."""
    counts = {"replicas": replicas, "readyReplicas": ready, "updatedReplicas": replicas if updated is None else updated}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "generation": 1},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": seen, **counts},
    }


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": f"{name}-x", "labels": {"yatai.ai/selector": name}}, "status": status}


def told(
    *objects: dict[str, Any],
    pods: tuple[dict[str, Any], ...] = (),
    doc: dict[str, Any] | None = None,
    settings: ClusterSettings | None = None,
) -> dict[str, Any]:
    placed = settings or ClusterSettings()
    dialect, given = BentoDialect(settings=placed), doc or deployment()
    layout = dialect.lay_out(given, settings=placed, catalog=Catalog(), world=WORLD)
    observed = Observed(objects={(one["kind"], one["metadata"]["name"]): one for one in objects}, pods=pods)
    return dialect.cluster_status(given, layout, observed, settings=placed, now=NOW, world=WORLD)


def waiting(reason: str, **state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": reason}}, **state}]}


CRASHED = waiting("CrashLoopBackOff", lastState={"terminated": {"message": "no module named x"}})
UNSCHEDULED = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "no node has room"}]}


@pytest.mark.parametrize(
    ("objects", "pods", "message"),
    [
        ((of("iris"),), (), "Deployment iris-runner-0: not created yet"),
        ((of("iris"), of("iris-runner-0", ready=0)), (), "Deployment iris-runner-0: 0 of 1 replicas ready"),
        (
            (of("iris", replicas=2, ready=2, updated=1), of("iris-runner-0")),
            (),
            "Deployment iris: rolling out, 1 of 2 replicas",
        ),
        (
            (of("iris", ready=0), of("iris-runner-0")),
            (pod("iris", **CRASHED),),
            "Deployment iris: 0 of 1 replicas ready: container main: CrashLoopBackOff, no module named x",
        ),
        (
            (of("iris", ready=0), of("iris-runner-0")),
            (pod("other", **CRASHED), pod("iris", **UNSCHEDULED)),
            "Deployment iris: 0 of 1 replicas ready: no node has room",
        ),
        ((of("iris", seen=0), of("iris-runner-0")), (), "Deployment iris: rolling out, 1 of 1 replicas"),
    ],
)
def test_what_is_missing_is_named(
    objects: tuple[dict[str, Any], ...], pods: tuple[dict[str, Any], ...], message: str
) -> None:
    status = told(*objects, pods=pods)

    for type_ in ("Available", "Ready"):
        assert condition(status, type_)["status"] == "False"
        assert message in condition(status, type_)["message"]


def test_pods_that_answer_make_it_available() -> None:
    status = told(of("iris"), of("iris-runner-0"))

    assert condition(status, "Available")["reason"] == "PodsReady"
    assert (status["replicas"], status["readyReplicas"]) == (1, 1)
    assert condition(status, "BentoFound")["status"] == "True"


def test_an_api_server_at_zero_is_available_behind_our_own_gateway() -> None:
    doc = deployment(**SLEEPING)
    objects = (of("iris-00001"), of("iris-00002", replicas=0, ready=0), of("iris-runner-0"))

    status = told(*objects, doc=doc, settings=OWN_GATEWAY)

    assert condition(status, "Available")["reason"] == "ScaledToZero"
    assert condition(told(of("iris-runner-0"), doc=doc, settings=OWN_GATEWAY), "Available")["status"] == "False"


def test_the_url_is_told_when_its_host_is_known() -> None:
    doc = deployment(bento="iris", ingress={"enabled": True})
    ingress = {"kind": "Ingress", "metadata": {"name": "iris"}}
    addressed = {**ingress, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.7"}]}}}

    assert "url" not in told(ingress, doc=doc, settings=INGRESS)
    first = told(addressed, doc=doc, settings=INGRESS)
    assert first["url"] == "http://iris-models.10.0.0.7.sslip.io"
    assert told(ingress, doc={**doc, "status": first}, settings=INGRESS)["url"] == first["url"]
