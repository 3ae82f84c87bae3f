"""Where a request points: Kubernetes' paths taken apart. Knows the shape of paths, not which kinds exist."""

from dataclasses import dataclass
from urllib.parse import unquote

# What may follow a namespace's own name; everything else after it is a kind inside the namespace.
_OF_NAMESPACES = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Address:
    """A kind (all of it, or one namespace of it), an object, or a subresource of one."""

    group: str
    version: str
    plural: str
    namespace: str | None = None
    name: str = ""
    subresource: str = ""


def parse(path: str) -> Address | None:
    """Read `/api/v1/...` and `/apis/<group>/<version>/...`; `None` for anything else."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if not all(parts):
        return None
    if parts[0] == "api" and len(parts) >= 3:
        return _inside("", parts[1], parts[2:])
    if parts[0] == "apis" and len(parts) >= 4:
        return _inside(parts[1], parts[2], parts[3:])
    return None


def _inside(group: str, version: str, rest: list[str]) -> Address | None:
    namespace = None
    if rest[0] == "namespaces" and len(rest) >= 3 and not (len(rest) == 3 and rest[2] in _OF_NAMESPACES):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    plural, name, subresource = [*rest, "", ""][:3]
    return Address(group, version, plural, namespace, name, subresource)
