"""What a plan says of bentos and their images, and what is found in them when they are here. Values alone.

Which services and runners are in a bento stands in its `bento.yaml`, which nobody has read before it is fetched. So a
plan asks for one beforehand (`Prefetched.is_bento`), and what is found comes back in the status.
"""

from dataclasses import dataclass
from enum import StrEnum


class BentoStyle(StrEnum):
    """How a bento's code is written, which decides how it is served."""

    UNKNOWN = ""
    """Its files say."""
    OLD = "old"
    """`bentoml.Service` with runners (`spec` 1)."""
    NEW = "new"
    """`@bentoml.service` (`spec` 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBuild:
    """An image to make of a bento, unless one of that name is in its registry. `credentials` names a Secret with
    `.dockerconfigjson`, in the plan's namespace."""

    name: str
    """Registry, repository and tag; empty when the installation names it, by `tag`."""
    tag: str
    build_args: tuple[str, ...] = ()
    """`KEY=value` each."""
    timeout_s: float | None = None
    credentials: str = ""
    is_insecure: bool = False
    """The registry speaks HTTP without TLS."""
    is_forced: bool = False
    """Made although it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerFacts:
    """A runner as an old-style bento lists it."""

    name: str
    type: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BentoFacts:
    """What a bento says of itself. `services` are those of a new-style bento, the entry service first; `models` are the
    tags of those that it needs and does not bring."""

    style: BentoStyle
    service: str = ""
    bentoml_version: str = ""
    python_version: str = ""
    runners: tuple[RunnerFacts, ...] = ()
    services: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class ImageState(StrEnum):
    """How far an image is."""

    CHECKING = "Checking"
    ABSENT = "Absent"
    BUILDING = "Building"
    PRESENT = "Present"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStatus:
    """An image that a plan asked for, under its whole name. `message` says what is being done, or what went wrong and
    in which step; `reason` is `Timeout` when it took too long."""

    name: str
    state: ImageState
    reason: str = ""
    message: str = ""
