"""What becomes of a version when something happens to an upload of it: a function from values to values.

A version that is complete stays so, whatever happens to those who push it again: its bytes are replaced in one
transaction when the new ones are verified, and until then, and if that never comes, readers have the old.
"""

from enum import Enum, auto

from fairlead.errors import Conflict
from fairlead.registry.values import Rules, UploadStatus, Version


class Happening(Enum):
    """What can happen to an upload."""

    STARTED = auto()
    STORED = auto()
    """All bytes are there and verified."""
    FAILED = auto()
    """The client gave up, or we did, or nothing came for too long."""


def after(status: UploadStatus, what: Happening, *, others: int) -> UploadStatus:
    """The version's status; `others` is how many more uploads of it are under way."""
    if status is UploadStatus.SUCCESS or what is Happening.STORED:
        return UploadStatus.SUCCESS
    if what is Happening.STARTED or others:
        return UploadStatus.UPLOADING
    return UploadStatus.FAILED


def refuse_replacing(version: Version, rules: Rules, *, digest: str = "") -> None:
    """Raise Conflict for a version whose bytes may not change, unless they are the same again."""
    if version.is_complete and (version.is_immutable or rules.is_immutable) and version.digest != digest:
        raise Conflict(f"{version.kind} {version.tag} is immutable")
