"""What rendering gives: objects, and what could not be said by them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairlead.backends.kubernetes.render.place import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Objects in the order they are applied in. `late` are those that wait until every workload is ready: ways in that
    would lead requests nowhere. `annotations` are for Services, by name, where a router reads them there."""

    objects: tuple[Object, ...] = ()
    late: tuple[Object, ...] = ()
    warnings: tuple[str, ...] = ()
    annotations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def joined(parts: Iterable[Written]) -> Written:
    """All of them as one; of warnings that are the same, the first."""
    listed = list(parts)
    annotations: dict[str, dict[str, str]] = {}
    for part in listed:
        for name, given in part.annotations.items():
            annotations.setdefault(name, {}).update(given)
    return Written(
        objects=tuple(made for part in listed for made in part.objects),
        late=tuple(made for part in listed for made in part.late),
        warnings=tuple(dict.fromkeys(warning for part in listed for warning in part.warnings)),
        annotations=annotations,
    )
