"""Which services a graph holds in its own process."""

from dataclasses import replace
from typing import Any, TypeVar

import pytest

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve import KServeDialect
from fairlead.plan.model import (
    Artifact,
    Batching,
    Call,
    Component,
    ComponentName,
    EnvFrom,
    Graph,
    HostedModel,
    Limits,
    Logger,
    Method,
    Owner,
    Plan,
    Protocol,
    Revision,
    Route,
    Target,
    Unit,
    UnitName,
    Upstream,
)
from support.stored_docs import DocumentWorld

DIALECT = KServeDialect("http://localhost:8080")
T = TypeVar("T")
HOSTED = HostedModel(name="m", artifact=Artifact(uri="gs://x"), runtime="sklearn")


def service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://x"}}},
    }


def planned(
    name: str, *, unit: dict[str, Any] | None = None, component: dict[str, Any] | None = None, **fields: Any
) -> Plan:
    """The plan of a service with one model, changed in some way."""
    one = changed(Unit(name=UnitName("kserve-container"), runtime="sklearn", where="spec"), unit)
    root = Call(unit=one.name, method=Method.PREDICT)
    revision = Revision(hash="h", units=(one,), graph=Graph(root=root), protocol=Protocol.V1)
    first = Component(
        name=ComponentName("predictor"),
        full_name=f"{name}-predictor",
        revision=changed(revision, fields),
        role="predictor",
    )
    owner = Owner(api_version="v1beta1", kind="InferenceService", namespace="ns", name=name)
    targets = (Target(component=first.name, weight=100),)
    route = Route(host=f"{name}.ns.svc.cluster.local", path_prefix="/", targets=targets)
    return Plan(owner=owner, components=(changed(first, component),), routes=(route,))


def changed(value: T, fields: dict[str, Any] | None) -> T:
    return replace(value, **(fields or {}))  # type: ignore[type-var]  # plan values are dataclasses


def lowered(*plans: Plan, url: str = "") -> Plan:
    steps: list[dict[str, Any]] = [
        {"serviceName": "a"},
        {"serviceName": "b", "data": "$response"},
        {"serviceName": "a"},
    ]
    doc = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "ig", "namespace": "ns", "annotations": {"fairlead.dev/fuse": "true"}},
        "spec": {
            "nodes": {"root": {"routerType": "Sequence", "steps": [*steps, *([{"serviceUrl": url}] if url else [])]}}
        },
    }
    return DIALECT.lower(doc, catalog=Catalog(), world=DocumentWorld([service("a"), service("b")], plans))


def test_services_of_one_unit_are_held_as_copies() -> None:
    secret = EnvFrom(kind="Secret", name="store")
    plan = lowered(planned("a"), planned("b", protocol=Protocol.V2, unit={"env_from": (secret,)}))

    units = {unit.name: unit for unit in plan.components[0].revision.units}
    assert {name: (unit.runtime, unit.url) for name, unit in units.items()} == {
        "a": ("sklearn", "http://a.ns.svc.cluster.local/v1/models/a:predict"),
        "b": ("sklearn", "http://b.ns.svc.cluster.local/v2/models/b/infer"),
    }
    assert plan.secrets == ("store",)
    assert plan.warnings == ()


def test_a_new_version_of_a_service_is_a_new_version_of_the_graph() -> None:
    old = lowered(planned("a"), planned("b"))
    new = lowered(planned("a", unit={"artifact": Artifact(uri="gs://new")}), planned("b"))

    assert old.components[0].revision.hash != new.components[0].revision.hash


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (None, "service b is not planned yet"),
        (planned("b", component={"role": "transformer"}), "service b has a transformer"),
        (planned("b", unit={"runtime": "container"}), "service b does not run in a worker of ours"),
        (planned("b", protocol=Protocol.TENSORFLOW), "service b does not run in a worker of ours"),
        (planned("b", unit={"upstream": Upstream(host="c")}), "service b asks another service by itself"),
        (planned("b", loggers=(Logger(unit=UnitName(""), mode="all"),)), "service b logs payloads"),
        (planned("b", batching=Batching()), "service b gathers batches"),
        (planned("b", limits=Limits(concurrency=1)), "service b limits its requests"),
        (
            planned("b", component={"hosted": (HOSTED,)}),
            "service b is more than one model",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_service_that_does_more_than_predict_is_asked_where_it_is_and_so_are_all(plan: Plan | None, why: str) -> None:
    graph = lowered(planned("a"), *([plan] if plan is not None else []))

    assert {unit.runtime for unit in graph.components[0].revision.units} == {"remote"}
    assert graph.warnings == (f"annotation fairlead.dev/fuse: services are asked where they are: {why}",)


def test_a_service_between_two_versions_is_asked_where_it_is() -> None:
    plan = planned("b")
    other = replace(plan.components[0], name=ComponentName("predictor-2"))
    targets = (*plan.routes[0].targets, Target(component=other.name, weight=10))
    shared = replace(plan, components=(*plan.components, other), routes=(replace(plan.routes[0], targets=targets),))

    graph = lowered(planned("a"), shared)

    assert graph.warnings[0].endswith("service b shares its requests between 2 versions")


def test_a_graph_that_asks_a_url_holds_nothing() -> None:
    graph = lowered(planned("a"), planned("b"), url="https://elsewhere/x")

    assert graph.warnings[0].endswith("spec.nodes.root.steps[3] asks a URL")
    assert {unit.runtime for unit in graph.components[0].revision.units} == {"remote"}
