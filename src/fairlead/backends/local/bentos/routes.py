"""The ways between the parts of a bento that run apart: BentoML says in headers whom its calls are for. Pure."""

from collections.abc import Iterator

from fairlead.plan.model import HeaderMatch, Plan, Route, Target

_PART, _DEPLOYMENT, _NAMESPACE = "Runner-Name", "Yatai-Bento-Deployment-Name", "Yatai-Bento-Deployment-Namespace"


def routes_between(plan: Plan) -> tuple[Route, ...]:
    """A route to each runner or service of the plan that is a component of its own."""
    return tuple(_routes(plan))


def _routes(plan: Plan) -> Iterator[Route]:
    owner = plan.owner
    for component in plan.components:
        for unit in component.revision.units:
            part = (unit.bento.runner or unit.bento.service) if unit.bento is not None else ""
            if not part:
                continue
            told = ((_PART, part), (_DEPLOYMENT, owner.name), (_NAMESPACE, owner.namespace))
            yield Route(
                is_internal=True,
                headers=tuple(HeaderMatch(name=name, value=value) for name, value in told),
                targets=(Target(component=component.name, weight=1),),
            )
