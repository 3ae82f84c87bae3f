"""The kind `Revision` of `serving.knative.dev/v1`: records of what ran, which nobody writes but us."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.conditions import Condition, write
from fairlead.dialects.kserve.inference_service.health import health_of
from fairlead.dialects.kserve.inference_service.revisions import COMPONENT, REVISION, SERVICE
from fairlead.dialects.kserve.inference_service.schema import KIND
from fairlead.dialects.kserve.inference_service.traffic import read_rollout
from fairlead.dialects.kserve.part import Part
from fairlead.plan.status import ComponentStatus

READY, ACTIVE = "Ready", "Active"
_TERMINAL = ("ContainerHealthy", "ResourcesAvailable")


class RevisionPart(Part):
    """Its objects come from InferenceServices, and their status from what became of those."""

    kind = REVISION

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        return {
            "type": "object",
            "description": "A version of a component of an InferenceService, as it was when it was made.",
            "properties": {"spec": free, "status": free},
        }

    def derived_status(self, doc: Document, now: str, world: World) -> dict[str, Any] | None:
        """Whether it is up, and with how many replicas."""
        metadata = doc["metadata"]
        labels = metadata.get("labels") or {}
        place = KIND, str(metadata.get("namespace") or ""), str(labels.get(SERVICE) or "")
        service, observed = world.get(*place), world.observed(*place)
        if service is None or observed is None:
            return None
        rollout = read_rollout(told.component(service, str(labels.get(COMPONENT) or "")))
        name = metadata["name"]
        state = next((one for one in observed.components if one.full_name == name), None)
        conditions = _conditions(name, state, was_ready=rollout.was_ready(name), doc=doc)
        return {
            "conditions": write(conditions, told.status_of(doc), now=now, terminal=_TERMINAL),
            "actualReplicas": state.ready if state else 0,
            "desiredReplicas": state.desired if state else 0,
            "observedGeneration": metadata.get("generation", 1),
        }


def _conditions(name: str, state: ComponentStatus | None, *, was_ready: bool, doc: Document) -> list[Condition]:
    if state is None:
        # A revision that nothing runs of is as ready as it was, and inactive.
        earlier = told.condition(doc, READY)
        inactive = Condition(type=ACTIVE, is_true=False, reason="NoTraffic", message="no requests go to it")
        return [*(_copied(type_, earlier) for type_ in (READY, *_TERMINAL)), inactive]
    health = health_of(name, state, was_ready=was_ready)
    types = (READY, *_TERMINAL)
    up = [
        Condition(type=type_, is_true=health.answers, reason=health.reason, message=health.message)
        if health.answers is not True
        else Condition(type=type_, is_true=True)
        for type_ in types
    ]
    is_active = state.desired > 0
    active = Condition(
        type=ACTIVE,
        is_true=is_active,
        reason="" if is_active else "NoTraffic",
        message="" if is_active else "it has no replicas while nobody asks it",
    )
    return [*up, active]


def _copied(type_: str, earlier: Mapping[str, Any]) -> Condition:
    words = {"True": True, "False": False}
    return Condition(
        type=type_,
        is_true=words.get(str(earlier.get("status"))),
        reason=str(earlier.get("reason") or ""),
        message=str(earlier.get("message") or ""),
    )
