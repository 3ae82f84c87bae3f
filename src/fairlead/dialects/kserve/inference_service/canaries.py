"""Canaries of Standard mode: named predictors beside the stable one, each with a fixed number of replicas.

A canary gets its share of the requests only while it is ready; whatever it does not get is the stable predictor's. To
promote one is to give its name to the stable predictor: components go by that name, so its replicas go on. Where a
predictor takes another name and is not ready yet, the one that served before serves on.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.schema import KIND
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ComponentTemplate
from fairlead.dialects.kserve.inference_service.variants import Rolled, Variant
from fairlead.plan.model import Component, ComponentName, Target
from fairlead.plan.status import ComponentStatus, Phase

ALL = 100
_NOT_INHERITED = ("maxReplicas", "minReplicas", "scaleTarget", "scaleMetric", "autoScaling", "canaryTrafficPercent")


def effective(stable: Mapping[str, Any], canary: Mapping[str, Any]) -> dict[str, Any]:
    """A canary's predictor: the stable one with the canary's fields over it, but for how the stable one scales."""
    base = {key: value for key, value in stable.items() if key not in _NOT_INHERITED}
    return _merged(base, canary)


def predictor_component(name: str) -> ComponentName:
    """The plan's name for a predictor of this name; the manifest may leave the name out."""
    return ComponentName(f"{name}-{PREDICTOR}" if name else PREDICTOR)


def rolled(doc: Document, templates: Sequence[ComponentTemplate], world: World) -> Rolled:
    """The stable predictor, which comes first, and its canaries."""
    stable = templates[0]
    found = [_canary(doc, one) for one in templates[1:]]
    ready = told.ready_canaries(doc)
    weights = {
        one.name: percent for one, percent in found if one.template.canary in ready and percent > 0 and one.replicas
    }
    spared = sum(one.replicas or 0 for one, _ in found if one.template.canary in ready)
    main = _variant(stable, str(stable.spec.get("name") or ""), spared=spared, was_ready=told.has_url(doc, PREDICTOR))
    variants = (main, *(one for one, _ in found))
    rest = max(0, ALL - sum(weights.values()))
    carried = _carried(doc, variants, world)
    keeper = carried[0].name if carried else main.name
    targets = (Target(component=keeper, weight=rest), *(Target(component=n, weight=w) for n, w in weights.items()))
    return Rolled(
        role=PREDICTOR,
        variants=variants,
        targets=tuple(target for target in targets if target.weight),
        carried=carried,
        is_ready=told.has_url(doc, PREDICTOR),
    )


def traffic_percents(doc: Document) -> dict[str, int]:
    """What each canary asks for, by its name."""
    entries = doc.get("spec", {}).get("canary") or ()
    return {one["predictor"]["name"]: int(one.get("trafficPercent") or 0) for one in entries}


def _canary(doc: Document, template: ComponentTemplate) -> tuple[Variant, int]:
    percent = traffic_percents(doc).get(template.canary, 0)
    own = template.spec.get("minReplicas")
    stable = doc.get("spec", {}).get(PREDICTOR, {}).get("minReplicas")
    least = max(1, stable if isinstance(stable, int) else 1)
    count = own if isinstance(own, int) else math.ceil(least * percent / ALL)
    return _variant(template, template.canary, replicas=count), percent


def _variant(
    template: ComponentTemplate, name: str, *, replicas: int | None = None, spared: int = 0, was_ready: bool = False
) -> Variant:
    full = f"{template.service}-{predictor_component(name)}"
    return Variant(
        template=template,
        name=predictor_component(name),
        full_name=full,
        group=full,
        replicas=replicas,
        spared=spared,
        was_ready=was_ready,
        service=full,
    )


def _carried(doc: Document, variants: Sequence[Variant], world: World) -> tuple[Component, ...]:
    """The predictor that the manifest has forgotten, for as long as the new one is not ready."""
    metadata = doc.get("metadata", {})
    place = KIND, str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
    last, observed = world.plan(*place), world.observed(*place)
    if last is None or observed is None:
        return ()
    states = {one.component: one for one in observed.components}
    if _serves(states.get(variants[0].name)):
        return ()
    named = {variant.name for variant in variants}
    left = [one for one in last.components if one.role == PREDICTOR and one.name not in named]
    return tuple(one for one in left if _serves(states.get(one.name)))[:1]


def _serves(state: ComponentStatus | None) -> bool:
    return state is not None and state.phase is Phase.READY and state.ready > 0


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        earlier = result.get(key)
        both = isinstance(earlier, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(earlier, value) if both else value  # type: ignore[arg-type]  # both are mappings
    return result
