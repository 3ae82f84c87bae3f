"""Which webhooks there are: for every kind that users write one that checks it, and one that fills it in where its
dialect does. Paths and names are upstream's, which scripts and people's searches know.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fairlead.dialects.base import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One webhook: `name` is what refusals say, `path` where the API server asks."""

    kind: Kind
    name: str
    path: str
    is_mutating: bool = False


def endpoints_of(kinds: Iterable[Kind]) -> Sequence[Endpoint]:
    """Every webhook of these kinds, those that fill in first, as an API server calls them."""
    written = [kind for kind in kinds if not kind.is_read_only]
    mutating = [
        Endpoint(kind=kind, name=kind.defaulter, path=_path("mutate", kind), is_mutating=True)
        for kind in written
        if kind.defaulter
    ]
    validating = [
        Endpoint(kind=kind, name=kind.webhook or f"v1.v{kind.kind.lower()}.kb.io", path=_path("validate", kind))
        for kind in written
    ]
    return [*mutating, *validating]


def _path(verb: str, kind: Kind) -> str:
    return f"/{verb}-{kind.group.replace('.', '-')}-{kind.versions[0]}-{kind.kind.lower()}"
