"""The difference of two plans in words, for people (`fairlead diff`, Events) and for the log of a reconcile.

Says what will change in what runs: components, what makes a revision new, replicas and shares. Values of environment
variables are never shown, because manifests put secrets there.
"""

import re
from collections.abc import Iterator, Mapping

from fairlead.plan import quantity
from fairlead.plan.model import Artifact, Component, Plan, Resources, Revision, Route, Unit
from fairlead.plan.scaling import ScalePolicy


def diff(old: Plan | None, new: Plan | None) -> list[str]:
    """One sentence per difference, in the order of the new plan; empty when nothing changes."""
    before = {component.name: component for component in old.components} if old else {}
    after = {component.name: component for component in new.components} if new else {}
    lines = []
    for name, component in after.items():
        lines += [f"{name}: {text}" for text in _component(before.get(name), component)]
    lines += [f"{name}: removed" for name in before if name not in after]
    if old is not None and new is not None:
        lines += _routes(old, new)
    return lines


def _component(old: Component | None, new: Component) -> Iterator[str]:
    if old is None:
        yield f"added, revision {new.revision.hash}, {_scale(new.scale)}"
        return
    if old.revision.hash != new.revision.hash:
        why = "; ".join(_revision(old.revision, new.revision)) or "settings"
        yield f"revision {old.revision.hash} → {new.revision.hash}: {why}"
    if old.scale != new.scale:
        yield f"{_scale(old.scale)} → {_scale(new.scale)}"


def _scale(scale: ScalePolicy) -> str:
    low, high = scale.min_replicas, scale.max_replicas
    count = str(low) if low == high else f"{low} to {high}"
    return f"{count} replica{'' if count == '1' else 's'}"


def _revision(old: Revision, new: Revision) -> Iterator[str]:
    before = {unit.name: unit for unit in old.units}
    after = {unit.name: unit for unit in new.units}
    for name, unit in after.items():
        if name not in before:
            yield f"unit {name} added"
        elif changes := list(_unit(before[name], unit)):
            yield f"unit {name}: {', '.join(changes)}"
    yield from (f"unit {name} removed" for name in before if name not in after)
    if old.graph != new.graph:
        yield "graph"
    if old.timeout_s != new.timeout_s:
        yield f"timeout {_seconds(old.timeout_s)} → {_seconds(new.timeout_s)}"
    for attribute in ("protocol", "labels", "annotations", "env", "loggers", "drain_s", "include_routing"):
        if getattr(old, attribute) != getattr(new, attribute):
            yield attribute.removesuffix("_s").replace("_", " ")


def _unit(old: Unit, new: Unit) -> Iterator[str]:
    if old.artifact != new.artifact:
        yield f"model {_uri(old.artifact)} → {_uri(new.artifact)}"
    if old.image != new.image:
        yield f"image {old.image or 'none'} → {new.image or 'none'}"
    if (old.runtime, old.variant) != (new.runtime, new.variant):
        yield f"runtime {old.runtime} → {new.runtime}"
    if old.parameters != new.parameters:
        yield from _parameters(old, new)
    if old.env != new.env:
        yield f"env {', '.join(_changed(_env(old), _env(new)))}"
    if old.resources != new.resources:
        yield f"resources {_resources(old.resources)} → {_resources(new.resources)}"
    for attribute in ("env_from", "code", "command", "container", "url"):
        if getattr(old, attribute) != getattr(new, attribute):
            yield attribute.replace("_", " ")


def _parameters(old: Unit, new: Unit) -> Iterator[str]:
    before = {item.name: str(item.value) for item in old.parameters}
    after = {item.name: str(item.value) for item in new.parameters}
    for name in _changed(before, after):
        yield f"parameter {name} {before.get(name, 'not set')} → {after.get(name, 'not set')}"


def _env(unit: Unit) -> dict[str, str]:
    return {variable.name: f"{variable.value}{variable.source or ''}" for variable in unit.env}


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _uri(artifact: Artifact | None) -> str:
    """Without what stands before an @, which may be a password."""
    return re.sub(r"//[^/@]*@", "//", artifact.uri) if artifact else "none"


def _resources(resources: Resources) -> str:
    """What counts of each: the limit, or the request without one."""
    cpu = resources.cpu_limit if resources.cpu_limit is not None else resources.cpu_request
    memory = resources.memory_limit_bytes
    memory = resources.memory_request_bytes if memory is None else memory
    parts = [] if cpu is None else [f"cpu {quantity.format_cores(cpu)}"]
    parts += [] if memory is None else [f"memory {quantity.format_bytes(memory)}"]
    return " ".join(parts) or "none"


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:g} s"


def _routes(old: Plan, new: Plan) -> Iterator[str]:
    """Shares are told once for all shared routes; other changes by the route they concern."""
    before, after = _shares(old), _shares(new)
    if before != after:
        yield f"traffic: {_listed(before)} → {_listed(after)}"
    keys = {_key(route): route for route in old.routes}
    for route in new.routes:
        earlier = keys.pop(_key(route), None)
        if earlier is None:
            yield f"route {_title(route)} added"
        elif (earlier.timeout_s, earlier.retries) != (route.timeout_s, route.retries):
            yield f"route {_title(route)}: timeout {_seconds(route.timeout_s)}, {route.retries} retries"
    for route in keys.values():
        yield f"route {_title(route)} removed"


def _shares(plan: Plan) -> dict[str, str]:
    """The first route's: a resource's routes that share traffic share it alike."""
    if not plan.routes:
        return {}
    first = plan.routes[0]
    total = sum(target.weight for target in first.targets) or 1
    shares = {str(target.component): f"{100 * target.weight / total:g} %" for target in first.targets}
    return shares | {str(mirror.component): f"copy of {mirror.percent:g} %" for mirror in first.mirrors}


def _listed(shares: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {share}" for name, share in shares.items()) or "none"


def _key(route: Route) -> tuple[object, ...]:
    return route.path_prefix, route.host, route.headers, route.metadata


def _title(route: Route) -> str:
    where = f"{route.host}{route.path_prefix}"
    carried = [*(f"{match.name}={match.value}" for match in route.headers), *(f"{k}={v}" for k, v in route.metadata)]
    return f"{where} ({', '.join(carried)})" if carried else where
