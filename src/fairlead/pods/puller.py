"""Models that come and go in a server that several share, as KServe's puller brings them.

A ConfigMap, mounted as a folder, lists them. What is new on the list is fetched into a folder of its name and the
server told to load it; what is gone is removed, and the server told to let it go. A finished model has a file
`SUCCESS.<hash>` of what was asked for, so that a restart fetches nothing twice.
"""

import contextlib
import hashlib
import http.client
import json
import logging
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fairlead.errors import FairleadError
from fairlead.pods.initializing import bring, variables_of
from fairlead.storage.redaction import cleaned, secrets_of

_log = logging.getLogger(__name__)

_LIST = "models.json"
_COMPLETE = "SUCCESS."
_LOOK_S = 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_LOAD_S = 600.0
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One entry of the list. `mark` names its version."""

    name: str
    uri: str
    mark: str


class ServerRefused(FairleadError):
    """The server did not take a model in, or let it go."""


def wanted_in(folder: Path) -> dict[str, Wanted] | None:
    """The list by name; empty without one, `None` for one that cannot be read. Entries that are none are left out, with
    a word in the log."""
    try:
        listed = json.loads((folder / _LIST).read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.error("%s cannot be read, so all stays as it is: %s", folder / _LIST, error)
        return None
    found = (_wanted(one) for one in listed if isinstance(one, dict)) if isinstance(listed, list) else ()
    return {one.name: one for one in found if one is not None}


class Puller:
    """Follows the list on a thread of its own. `is_complete` once all that was on it at the start has been tried."""

    def __init__(self, config: Path, models: Path, server: str, environ: Mapping[str, str]) -> None:
        self.is_complete = False
        self._config, self._models, self._server = config, models, server
        self._env = variables_of(environ)
        self._loaded: dict[str, Wanted] = {}
        self._again: dict[str, tuple[Wanted, float, float]] = {}
        """What failed, when to try again, and after which pause."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="puller", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing new. A transfer under way ends with the process."""
        self._stop.set()

    def look(self) -> None:
        """Make what is here what the list says."""
        wanted = wanted_in(self._config)
        if wanted is None:
            return
        for name in sorted(self._present() - set(wanted)):
            self._trying(name, None, lambda name=name: self._remove(name))
        for one in wanted.values():
            if self._loaded.get(one.name) != one and self._is_due(one):
                self._trying(one.name, one, lambda one=one: self._add(one))

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:  # whatever a volume does, the next look may see it well again
                _log.exception("the list of models could not be followed")
            self.is_complete = True
            self._stop.wait(_LOOK_S)

    def _present(self) -> set[str]:
        """Names that are here: known ones, and what a puller before this one left."""
        folders = self._models.iterdir() if self._models.is_dir() else ()
        return set(self._loaded) | {path.name for path in folders if path.is_dir() and any(path.glob(f"{_COMPLETE}*"))}

    def _is_due(self, one: Wanted) -> bool:
        failed = self._again.get(one.name)
        return failed is None or failed[0] != one or time.monotonic() >= failed[1]

    def _trying(self, name: str, one: Wanted | None, act: Any) -> None:
        before = self._again.pop(name, None)
        try:
            act()
        except (FairleadError, OSError) as error:
            pause_s = min(before[2] * 2, _LONGEST_PAUSE_S) if before is not None else _FIRST_PAUSE_S
            _log.error("model %s: %s", name, cleaned(str(error), secrets_of(self._env)))
            if one is not None:
                self._again[name] = (one, time.monotonic() + pause_s, pause_s)

    def _add(self, one: Wanted) -> None:
        folder = self._models / one.name
        mark = folder / f"{_COMPLETE}{one.mark}"
        if not mark.exists():
            if folder.exists():
                self._remove(one.name)
            bring(one.uri, folder, self._env, unpacks=True)
            mark.touch()
        self._tell(one.name, "load")
        self._loaded[one.name] = one
        _log.info("model %s: loaded", one.name)

    def _remove(self, name: str) -> None:
        self._loaded.pop(name, None)
        shutil.rmtree(self._models / name, ignore_errors=True)
        self._tell(name, "unload")
        _log.info("model %s: removed", name)

    def _tell(self, name: str, what: str) -> None:
        """Raises `ServerRefused`, and `OSError` when nobody listens."""
        parts = urlsplit(self._server)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_LOAD_S)
        with contextlib.closing(connection):
            connection.request("POST", f"/v2/repository/models/{quote(name)}/{what}", b"")
            answer = connection.getresponse()
            body = answer.read()
        # One that the server never took in is gone already.
        if answer.status >= 300 and not (what == "unload" and answer.status == 404):
            raise ServerRefused(
                f"the server's answer to {what} was {answer.status}: {body[:300].decode(errors='replace')}"
            )


def _wanted(entry: Mapping[str, Any]) -> Wanted | None:
    name, spec = entry.get("modelName"), entry.get("modelSpec")
    if not isinstance(name, str) or not isinstance(spec, dict) or not spec.get("storageUri"):
        _log.error("%s: an entry has no modelName or no modelSpec.storageUri", _LIST)
        return None
    if not name or set(name) - _SAFE or name.startswith("."):
        _log.error("%s: %r is no name for a model", _LIST, name)
        return None
    mark = hashlib.sha256(json.dumps(spec, separators=(",", ":")).encode()).hexdigest()
    return Wanted(name=name, uri=str(spec["storageUri"]), mark=mark)
