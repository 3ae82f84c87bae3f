"""Which components an InferenceService has now, under which names, and who of them gets its requests.

In Knative's mode a component of the manifest is one or more revisions; in Standard mode the predictor may have canaries
beside it. Either way the answer is the same: variants to run, targets with weights, and tags to ask one of them by.
What has been ready is read from the document's own status, so the same document gives the same plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.inference_service import canaries, told
from fairlead.dialects.kserve.inference_service.revisions import history_of, pinned
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ROLES, ComponentTemplate
from fairlead.dialects.kserve.inference_service.traffic import Rollout, Share, rolled_back, shares_of
from fairlead.dialects.kserve.inference_service.variants import Rolled, Variant
from fairlead.plan.model import Component, ComponentName, Target
from fairlead.plan.scaling import ScalePolicy

TAG_ROUTING = "serving.kserve.io/enable-tag-routing"
STOP = "serving.kserve.io/stop"


def rolled_of(doc: Document, templates: Sequence[ComponentTemplate], world: World) -> tuple[Rolled, ...]:
    """Every component of the manifest, the predictor first. A service that is stopped has none."""
    if is_stopped(doc):
        return ()
    by_role = {role: [one for one in templates if one.role == role] for role in ROLES}
    return tuple(_rolled(doc, of_role, world) for of_role in by_role.values() if of_role)


def is_stopped(doc: Document) -> bool:
    """Whether nothing of it is to run."""
    return annotation(doc, STOP).lower() == "true"


def annotation(doc: Document, name: str) -> str:
    """An annotation of the document; empty when it has none of this name."""
    annotations = doc.get("metadata", {}).get("annotations")
    value = annotations.get(name, "") if isinstance(annotations, Mapping) else ""
    return value if isinstance(value, str) else ""


def traffic_percent(doc: Document, role: str) -> int | None:
    """`canaryTrafficPercent` of a component."""
    spec = doc.get("spec", {}).get(role)
    percent = spec.get("canaryTrafficPercent") if isinstance(spec, Mapping) else None
    return percent if isinstance(percent, int) else None


def knative_shares(doc: Document, role: str, rollout: Rollout) -> tuple[Share, ...]:
    """Who gets what of a component in Knative's mode."""
    has_tag = annotation(doc, TAG_ROUTING).lower() == "true"
    return shares_of(rollout, traffic_percent(doc, role), has_latest_tag=has_tag)


def component_name(template: ComponentTemplate, revision: str) -> ComponentName:
    """The plan's name for a revision: without the service's, which a plan has only one of."""
    return ComponentName(revision.removeprefix(f"{template.service}-"))


def settled(component: Component, variant: Variant) -> Component:
    """A component as it is lowered from a template, in the place that its variant has."""
    return replace(
        component,
        name=variant.name,
        full_name=variant.full_name,
        group=variant.group,
        role=variant.template.role,
        scale=_scale(component.scale, variant),
    )


def _scale(scale: ScalePolicy, variant: Variant) -> ScalePolicy:
    if variant.replicas is not None:
        count = variant.replicas
        return ScalePolicy(min_replicas=count, max_replicas=count, initial_replicas=count)
    least = max(1, scale.min_replicas - variant.spared) if variant.spared else scale.min_replicas
    if scale.auto is None:
        return replace(scale, min_replicas=least, max_replicas=least, initial_replicas=least)
    # What was ready once starts with as few as it may have: a restart wakes nothing that slept.
    initial = least if variant.was_ready else max(scale.initial_replicas, least)
    return replace(scale, min_replicas=least, initial_replicas=initial, is_reachable=variant.is_reachable)


def _rolled(doc: Document, templates: Sequence[ComponentTemplate], world: World) -> Rolled:
    stable = templates[0]
    if stable.is_knative:
        return _by_revision(doc, stable, world)
    stable = pinned(doc, stable, world)
    if stable.role == PREDICTOR:
        return canaries.rolled(doc, (stable, *templates[1:]), world)
    was_ready = told.has_url(doc, stable.role)
    name = ComponentName(stable.role)
    variant = Variant(
        template=stable,
        name=name,
        full_name=stable.configuration,
        group=stable.configuration,
        was_ready=was_ready,
    )
    return Rolled(role=stable.role, variants=(variant,), targets=(Target(component=name, weight=100),))


def _by_revision(doc: Document, template: ComponentTemplate, world: World) -> Rolled:
    history = history_of(doc, template, world)
    rollout = rolled_back(history.rollout, traffic_percent(doc, template.role))
    shares = knative_shares(doc, template.role, rollout)
    asked = {share.revision for share in shares if share.percent or share.tag}
    # The newest comes up as if it had requests already, and what served before stays until the newest does.
    kept = {rollout.latest_created, rollout.latest_ready, rollout.latest_rolled_out, *asked} - {""}
    waiting = rollout.latest_created if rollout.latest_created != rollout.latest_ready else ""
    leaving = rollout.latest_rolled_out
    variants = tuple(
        Variant(
            template=version.template,
            name=component_name(template, version.name),
            full_name=version.name,
            group=template.configuration,
            was_ready=rollout.was_ready(version.name),
            is_reachable=version.name in asked or version.name in (waiting, leaving),
        )
        for version in history.versions
        if version.name in kept
    )
    return Rolled(
        role=template.role,
        variants=variants,
        targets=_targets(template, shares),
        tags=tuple((share.tag, component_name(template, share.revision)) for share in shares if share.tag),
        is_ready=bool(rollout.latest_ready),
    )


def _targets(template: ComponentTemplate, shares: Sequence[Share]) -> tuple[Target, ...]:
    weights: dict[ComponentName, int] = {}
    for share in shares:
        name = component_name(template, share.revision)
        weights[name] = weights.get(name, 0) + share.percent
    return tuple(Target(component=name, weight=weight) for name, weight in weights.items() if weight)
