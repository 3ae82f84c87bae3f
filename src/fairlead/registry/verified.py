"""Files of blobs whose bytes were read lately and found to be those that were pushed.

To hash a blob takes longer than to send it. So it is hashed again when its file is another or has changed, and now and
then without a reason: a disk may forget what it was told.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from io import FileIO

_BELIEVED_S = 3600.0
_MOST = 10_000
Identity = tuple[int, ...]


class Verified:
    """By digest. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, tuple[Identity, float]] = OrderedDict()

    def knows(self, digest: str, identity: Identity) -> bool:
        """Whether this very file was good within the last hour, and is as it was."""
        seen = self._seen.get(digest)
        return seen is not None and seen[0] == identity and 0 <= self._clock() - seen[1] < _BELIEVED_S

    def note(self, digest: str, identity: Identity) -> None:
        """It is good, as it was before it was read."""
        self._seen[digest] = identity, self._clock()
        self._seen.move_to_end(digest)
        while len(self._seen) > _MOST:
            self._seen.popitem(last=False)


def identity_of(file: FileIO) -> Identity:
    """What changes with a file's bytes."""
    facts = os.fstat(file.fileno())
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
