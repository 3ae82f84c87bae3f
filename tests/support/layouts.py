"""Layouts in a few words, and the objects that they become."""

from typing import Any

from fairlead.backends.kubernetes.render import Written, rendered
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Backing, Exposure, Layout, OnDemandWorkload, PodTemplate, Rule, Service, Workload
from fairlead.plan.model import Owner
from support.object_schemas import complaints

OWNER = Owner(api_version="serving.example.com/v1", kind="Model", namespace="models", name="iris")


def layout(**parts: Any) -> Layout:
    """A layout of `iris` in `models`."""
    return Layout(**{"owner": OWNER, **parts})


def pod(*containers: dict[str, Any], own: str = "", **spec: Any) -> PodTemplate:
    """A pod of these containers, or of one called `main`; `own` are the names of ours."""
    listed = list(containers) or [{"name": "main", "image": "example.com/model:1"}]
    return PodTemplate(spec={"containers": listed, **spec}, labels={"app": "iris"}, own=frozenset(own.split()))


def workload(name: str = "iris", **fields: Any) -> Workload:
    """A workload that selects its pods by `app`."""
    return Workload(**{"name": name, "selector": {"app": "iris"}, "pod": pod(), **fields})


def on_demand(name: str = "iris-predictor", **fields: Any) -> OnDemandWorkload:
    """A workload on demand."""
    return OnDemandWorkload(**{"name": name, "pod": pod(), **fields})


def backing(service: str = "iris", port: int = 8000, **fields: Any) -> Backing:
    """A share of a rule's requests."""
    return Backing(service=service, port=port, **fields)


def rule(*backings: Backing, **fields: Any) -> Rule:
    """A rule for every request of the exposure."""
    return Rule(**{"name": "rest", "backings": backings or (backing(),), **fields})


def exposure(*rules: Rule, **fields: Any) -> Exposure:
    """A way in called `iris`."""
    return Exposure(**{"name": "iris", "rules": rules, **fields})


def written(*exposures: Exposure, settings: ClusterSettings | None = None, **parts: Any) -> Written:
    """What becomes of ways in, each object of it one that a cluster would take."""
    found = rendered(layout(exposures=exposures, **parts), settings or ClusterSettings())
    assert [text for one in (*found.objects, *found.late) for text in complaints(one)] == []
    return found


def only(found: Written, kind: str) -> dict[str, Any]:
    """The one object of a kind."""
    (one,) = [made for made in (*found.objects, *found.late) if made["kind"] == kind]
    return one


def service(name: str = "iris", **fields: Any) -> Service:
    """A Service."""
    return Service(name=name, **fields)
