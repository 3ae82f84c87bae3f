"""The last good plan of each resource, on disk, for the one case in which it cannot be made again: the manifest, or
what it refers to, was changed into something that cannot be lowered, and this process starts anew. What runs then goes
on running, as it does while the process lives.

A plan holds names of Secrets and none of their values. One that cannot be written or read is a line in the log: it is
made anew from its manifest whenever that can be lowered.
"""

import contextlib
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fairlead.control.world import Key
from fairlead.plan.model import Plan

_log = logging.getLogger(__name__)
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Plan)


@dataclass(frozen=True, slots=True)
class KeptPlans:
    """`folder` is theirs alone."""

    folder: Path

    def keep(self, key: Key, plan: Plan) -> None:
        """In place of the one before."""
        path = self._path(key)
        fresh = path.with_suffix(f".{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_bytes(_ENCODER.encode(plan))
            fresh.replace(path)
        except OSError as error:
            _log.warning("the plan of %s %s/%s is not kept: %s", *key, error)
            with contextlib.suppress(OSError):
                fresh.unlink()

    def find(self, key: Key, *, uid: str) -> Plan | None:
        """The last one of the object with this uid."""
        try:
            plan = _DECODER.decode(self._path(key).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:  # another version wrote it, say
            _log.warning("the kept plan of %s %s/%s cannot be read: %s", *key, error)
            return None
        return plan if plan.owner.uid == uid else None

    def forget(self, key: Key) -> None:
        """The object is no more."""
        self._path(key).unlink(missing_ok=True)

    def sweep(self, keys: Iterable[Key]) -> None:
        """Forget all but those of these objects: others went while nobody was there to see it."""
        wanted = {self._path(key) for key in keys}
        for path in self.folder.glob("*/*/*"):
            if path not in wanted:
                path.unlink(missing_ok=True)

    def _path(self, key: Key) -> Path:
        kind, namespace, name = key
        return self.folder / kind / (namespace or "-") / f"{name}.json"
