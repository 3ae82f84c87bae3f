"""One component of an InferenceService as it runs now: which templates, under which names, with which weights."""

from dataclasses import dataclass

from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.plan.model import Component, ComponentName, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A template that runs. `replicas` fixes their number; `spared` is how many fewer than usual are needed, since
    canaries do part of the work. `was_ready`: it has been, once. `service` is a host name of its own, if it has one."""

    template: ComponentTemplate
    name: ComponentName
    full_name: str
    group: str
    was_ready: bool = False
    is_reachable: bool = True
    replicas: int | None = None
    spared: int = 0
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """A component of the manifest: what runs for it, and who of that gets its requests. `tags` are names by which one
    of them can be asked alone. `carried` are components that serve on although the manifest does not name them any
    more, because their successor is not ready. `is_ready`: something of it can serve, as far as the status tells."""

    role: str
    variants: tuple[Variant, ...]
    targets: tuple[Target, ...]
    tags: tuple[tuple[str, ComponentName], ...] = ()
    carried: tuple[Component, ...] = ()
    is_ready: bool = False
    timeout_s: float | None = None
