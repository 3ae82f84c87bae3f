"""What a builder promises, and what it is told. A builder is a program of somebody else's that is already here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fairlead.images.access import Access

Say = Callable[[str], None]
"""Is told each line of the builder's, without its end and without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One image to make of the folder `context`. `secrets` are files by the ids that `RUN --mount=type=secret` names;
    `epoch` is the time that everything in the image is to have, in seconds, so that equal inputs give equal images."""

    image: str
    context: Path
    dockerfile: Path
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    access: Access = field(default_factory=Access)
    platform: str = ""
    network: str = ""
    """What network steps see, where the builder has several: `host` for the machine's."""
    is_pushed: bool = False
    is_fresh: bool = False
    """No step is taken from an earlier build."""
    epoch: int = 0


class Builder(Protocol):
    """Makes images. Cancelling a call ends the program, and what that program started."""

    @property
    def name(self) -> str:
        """Which one, for messages."""

    @property
    def keeps_secrets(self) -> bool:
        """Whether it knows `RUN --mount=type=secret`."""

    async def build(self, order: Order, say: Say) -> str:
        """Make the image under its name, push it if asked, and give its id. Raises `BuildFailed` or `PushFailed`."""

    async def save(self, order: Order, archive: Path, say: Say) -> None:
        """Write the image that this order has made as one tar, an OCI layout or Docker's form of it."""
