"""Prints a plan for people: components with their units and graph, and how requests reach them."""

from collections.abc import Iterator

from fairlead.plan.model import Branch, Call, Chain, Component, Enter, Flow, Hop, Plan, Route, Step, Unit


def describe(plan: Plan) -> str:
    """Several lines of text."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    yield f"{plan.owner.kind} {plan.owner.namespace}/{plan.owner.name}"
    for component in plan.components:
        yield from _indented(_component(component))
    for route in plan.routes:
        yield from _indented(_route(route))
    if plan.secrets:
        yield f"  needs secrets: {', '.join(plan.secrets)}"
    for warning in plan.warnings:
        yield f"  warning: {warning}"


def _component(component: Component) -> Iterator[str]:
    scale, revision = component.scale, component.revision
    count = str(scale.min_replicas)
    if scale.auto is not None and not scale.max_replicas:
        count = f"{scale.min_replicas} or more"
    elif scale.max_replicas != scale.min_replicas:
        count = f"{scale.min_replicas} to {scale.max_replicas}"
    plural = "replica" if count == "1" else "replicas"
    yield f"component {component.name}: {count} {plural}, {revision.protocol} protocol, revision {revision.hash}"
    for unit in revision.units:
        yield from _indented(_unit(unit))
    yield "  graph"
    for step in (revision.graph.root, *(step for _, step in revision.graph.named)):
        yield from _indented(_step(step), levels=2)


def _unit(unit: Unit) -> Iterator[str]:
    what = {
        "python": f"Python class {unit.code.target}" if unit.code else "Python class",
        "builtin": f"built-in {unit.variant}",
        "sample": f"stand-in for {unit.variant}",
        "command": f"command {' '.join(unit.command)}",
        "container": f"container {unit.container.image}" if unit.container else "container",
        "remote": f"remote {unit.url}",
    }.get(unit.runtime, f"{unit.runtime} runtime")
    yield f"unit {unit.name}: {what}"
    if unit.artifact:
        secret = f" (secret {unit.artifact.env_secret})" if unit.artifact.env_secret else ""
        yield f"  model {unit.artifact.uri}{secret}"
    for parameter in unit.parameters:
        yield f"  {parameter.name} = {parameter.value!r}"
    if unit.env:
        count = len(unit.env)
        yield f"  {count} environment variable{'s' if count > 1 else ''} (-o yaml shows them)"


def _step(step: Step) -> Iterator[str]:
    if isinstance(step, Call):
        yield f"{step.unit}.{step.method.value}"
    elif isinstance(step, Chain):
        for each in step.steps:
            yield from _step(each)
    elif isinstance(step, Enter):
        yield f"node {step.name}"
    elif isinstance(step, Branch):
        yield from _branch(step)
    else:
        yield from _flow(step)


def _flow(step: Flow) -> Iterator[str]:
    """A node of a graph of services, and what it may do."""
    yield f"{type(step).__name__.lower()} {step.name}"
    for hop in step.hops:
        said = ", ".join(_of_hop(hop))
        lines = list(_step(hop.step))
        yield f"  {hop.label}: {lines[0]}{f' ({said})' if said else ''}"
        yield from (f"     {line}" for line in lines[1:])


def _of_hop(hop: Hop) -> Iterator[str]:
    if hop.weight:
        yield f"{hop.weight} %"
    if hop.condition:
        yield f"if {hop.condition}"
    if hop.takes_answer:
        yield "with the answer before it"
    if hop.renames_predictions:
        yield "predictions as instances"
    if hop.is_required:
        yield "required"


def _branch(step: Branch) -> Iterator[str]:
    yield f"{step.route} chooses one of" if step.route else "all of"
    for number, choice in enumerate(step.choices):
        lines = list(_step(choice)) or ["(nothing)"]
        yield f"  {number}: {lines[0]}"
        yield from (f"     {line}" for line in lines[1:])
    if step.combine:
        yield f"combined by {step.combine}"


def _route(route: Route) -> Iterator[str]:
    whole = sum(target.weight for target in route.targets)
    shares = [
        f"{target.component} {100 * target.weight / whole:g} %" if whole else f"{target.component} 0 %"
        for target in route.targets
    ]
    mirrors = [f"copies {mirror.percent:g} % to {mirror.component}" for mirror in route.mirrors]
    matches = [f"{match.name}: {match.value}" for match in route.headers]
    matches += [f"metadata {name}: {value}" for name, value in route.metadata]
    asked = f" when {', '.join(matches)}" if matches else ""
    yield f"route {route.host}{route.path_prefix}{asked} -> {', '.join([*shares, *mirrors])}"


def _indented(lines: Iterator[str], *, levels: int = 1) -> Iterator[str]:
    return (f"{'  ' * levels}{line}" for line in lines)
