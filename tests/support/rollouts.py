"""An InferenceService that lives: changed, looked at and reported on as the control process does it, without one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.dialects.base import Document, Happened
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve.inference_service import planning, records, status
from fairlead.dialects.kserve.inference_service.events import happened
from fairlead.dialects.kserve.serving_runtime.builtin import built_in_runtimes
from fairlead.plan.model import Component, Plan
from fairlead.plan.status import Cause, ComponentStatus, Phase, PlanStatus

NOW = "2026-01-01T00:00:00Z"
Key = tuple[str, str, str]


def _key(doc: Document) -> Key:
    return doc["kind"], doc["metadata"].get("namespace", ""), doc["metadata"]["name"]


class Installation:
    """What is stored, and what became of it."""

    def __init__(self, *documents: Document) -> None:
        self.objects = {_key(one): one for one in (*built_in_runtimes(), *documents)}
        self.plans: dict[Key, Plan] = {}
        self.states: dict[Key, PlanStatus] = {}

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        return self.objects.get((kind, namespace, name))

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        found = [one for key, one in sorted(self.objects.items()) if key[0] == kind]
        return [one for one in found if namespace is None or one["metadata"].get("namespace", "") == namespace]

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:
        return self.plans.get((kind, namespace, name))

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:
        return self.states.get((kind, namespace, name))


@dataclass
class Life:
    """One service. `fate` says of a component what state it is in; those that it does not know are ready.
    `sleeping` are components without replicas because nobody asked them."""

    doc: dict[str, Any]
    world: Installation = field(default_factory=Installation)
    fate: dict[str, Phase] = field(default_factory=dict)
    sleeping: set[str] = field(default_factory=set)
    events: list[Happened] = field(default_factory=list)
    external_url: str = "http://localhost:8080"
    now: str = NOW

    def look(self) -> Plan:
        """Records and the plan, as after a change of the document."""
        self.doc["metadata"].setdefault("generation", 1)
        wanted = records.records(self.doc, world=self.world)
        for key in [key for key in self.world.objects if key[0] == "Revision"]:
            del self.world.objects[key]
        self.world.objects.update({_key(one): one for one in wanted})
        plan = planning.lower(self.doc, catalog=Catalog(), world=self.world)
        self.world.plans[_key(self.doc)] = plan
        self.world.objects[_key(self.doc)] = self.doc
        return plan

    def report(self, *, routed: bool | None = None) -> Mapping[str, Any]:
        """The status that follows from how the plan's components are. Requests are routed when all are ready, if
        nothing else is said."""
        plan = self.world.plans[_key(self.doc)]
        states = tuple(self.state_of(component) for component in plan.components)
        is_settled = all(state.phase is Phase.READY for state in states)
        observed = PlanStatus(owner=plan.owner, components=states, routed=is_settled if routed is None else routed)
        self.world.states[_key(self.doc)] = observed
        told = status.status_of(
            self.doc, plan, observed, world=self.world, external_url=self.external_url, now=self.now
        )
        self.events += happened(self.doc, told)
        self.doc = {**self.doc, "status": told}
        return told

    def settle(self, steps: int = 8) -> Plan:
        """Look and report until nothing changes any more."""
        for _ in range(steps):
            before = self.doc.get("status")
            plan = self.look()
            self.report()
            if self.doc["status"] == before and self.look() == plan:
                return plan
        raise AssertionError(f"it does not come to rest: {self.doc['status']}")

    def change(self, role: str = "predictor", **fields: Any) -> None:
        """Write these fields of a component; `None` removes one."""
        spec = {**self.doc["spec"], role: {**self.doc["spec"].get(role, {}), **fields}}
        spec[role] = {key: value for key, value in spec[role].items() if value is not None}
        metadata = {**self.doc["metadata"], "generation": self.doc["metadata"].get("generation", 1) + 1}
        self.doc = {**self.doc, "spec": spec, "metadata": metadata}

    def model(self, uri: str) -> None:
        """Another model."""
        self.change(model={"modelFormat": {"name": "sklearn"}, "storageUri": uri})

    def restart(self) -> None:
        """What only a process knew is gone."""
        self.world.plans.clear()
        self.world.states.clear()

    def state_of(self, component: Component) -> ComponentStatus:
        """How a component is."""
        phase = self.fate.get(component.name, Phase.READY)
        is_asleep = component.name in self.sleeping
        scale = component.scale
        desired = 0 if is_asleep else max(scale.initial_replicas, scale.min_replicas, 0 if scale.auto is None else 1)
        cause = Cause(unit=component.revision.units[0].name, reason="ModelLoadFailed", message="no such file")
        return ComponentStatus(
            component=component.name,
            full_name=component.full_name,
            revision=component.revision.hash,
            phase=phase,
            desired=desired,
            ready=desired if phase is Phase.READY else 0,
            cause=cause if phase is Phase.FAILED else None,
        )


def weights(plan: Plan, path: str) -> dict[str, int]:
    """Who gets what of the requests to a path or a host."""
    found = [r for r in plan.routes if path in (r.path_prefix, r.host) and not r.path_pattern]
    return {target.component: target.weight for target in found[0].targets}
