"""Watches, by kopf: every change of a kind that we follow is told, and nothing else is done about it here.

kopf runs in a thread with a loop of its own, because it ends every task of its loop when it stops, and handles
signals. Only its low-level handlers are used: it writes nothing to anybody's objects, no annotations, finalizers,
Events or peering. It follows a broken connection, a slow one, and a version that is no longer kept by itself; what it
gives up on, it is begun anew for. It cannot tell what was deleted while it listed again: `sweeping` finds that.
"""

import asyncio
import contextlib
import logging
import random
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import kopf
from lightkube.config.kubeconfig import SingleConfig

from fairlead.backends.kubernetes.operator.lending import Lending
from fairlead.backends.kubernetes.operator.resources import ResourceType, TypeKey

_log = logging.getLogger(__name__)

Json = dict[str, Any]
Hear = Callable[[TypeKey, str, Json], None]
"""Called with a kind, what happened (`ADDED`, `MODIFIED`, `DELETED`, or empty for one of a list), and the object."""

_LONGEST_PAUSE_S = 30.0
_STOP_S = 5.0


@dataclass(slots=True)
class Watches:
    """`hear` is called in the loop that calls `start`; so are `listed`, with a kind of which a list has come, empty
    lists too, and `restarted`, whenever the watches had to be begun anew."""

    config: SingleConfig
    namespaces: Sequence[str]
    hear: Hear
    listed: Callable[[TypeKey], None]
    restarted: Callable[[], None]
    pause_s: float = 1.0
    """Before a connection that failed is tried again, the first time."""
    _kinds: tuple[ResourceType, ...] = ()
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _end: Callable[[], object] = lambda: None

    def start(self, kinds: Iterable[ResourceType]) -> None:
        """Follow these kinds until `stop`."""
        self._kinds, self._loop, self._stop = tuple(kinds), asyncio.get_running_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._stop,), name="watches", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Follow nothing any more."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            with contextlib.suppress(RuntimeError):  # its loop has just ended by itself
                self._end()
            # Its connections may be in the middle of a long wait. As a daemon it ends with the process at the latest.
            await asyncio.to_thread(thread.join, _STOP_S)

    def _run(self, stop: threading.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                asyncio.run(self._operate(stop))
            except (Exception, asyncio.CancelledError) as error:
                if not stop.is_set():
                    _log.warning("the watches ended and are begun anew: %s: %s", type(error).__name__, error)
            if stop.is_set():
                return
            failures += 1
            self._call(self.restarted)
            stop.wait(min(_LONGEST_PAUSE_S, self.pause_s * 2.0 ** min(failures, 10)))

    async def _operate(self, stop: threading.Event) -> None:
        # Cancelled instead of told by kopf's own flag, with which it waits five seconds for calls that never end.
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        self._end = lambda: loop.call_soon_threadsafe(task.cancel) if task else None
        if stop.is_set():
            return
        async with Lending(self.config, self._kinds, lambda kind: self._call(self.listed, kind)) as lending:
            await kopf.operator(
                registry=self._registry(lending),
                settings=_settings(self.pause_s),
                clusterwide=not self.namespaces,
                namespaces=list(self.namespaces),
                standalone=True,
            )

    def _registry(self, lending: Lending) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        # The authenticator looks for handlers by name in a registry; without one it would try its own ways to log in.
        kopf.on.login(registry=registry, id="login", errors=kopf.ErrorsMode.TEMPORARY)(lending.login)
        for kind in self._kinds:
            handler = _handler(kind.key, self._tell)
            kopf.on.event(kind.group, kind.versions[0], kind.plural, registry=registry, id=kind.plural)(handler)
        return registry

    def _tell(self, kind: TypeKey, type_: str, doc: Json) -> None:
        self._call(self.hear, kind, type_, doc)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        if self._loop is None or self._loop.is_closed() or self._stop.is_set():
            return
        self._loop.call_soon_threadsafe(function, *arguments)


def _handler(kind: TypeKey, tell: Hear) -> Callable[..., Awaitable[None]]:
    # A function and no object: kopf runs what is not declared `async` in a pool of threads.
    async def heard(*, event: Any, **_: Any) -> None:
        tell(kind, event["type"] or "", event["object"])

    return heard


@dataclass(frozen=True, slots=True)
class _ForEver:
    """Pauses between tries of a call: longer and longer, and never giving up."""

    first_s: float

    def __iter__(self) -> Iterator[float]:
        pause_s = self.first_s
        while True:
            yield pause_s * random.uniform(0.7, 1.0)  # noqa: S311 - spreads load, keeps no secret
            pause_s = min(_LONGEST_PAUSE_S / 2, pause_s * 2)


class _NoDiffs(kopf.AnnotationsDiffBaseStorage):
    """Nothing here asks how an object differs from an earlier state; without this every event copies it twice."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None


def _settings(pause_s: float) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.networking.error_backoffs = _ForEver(pause_s)
    settings.networking.enforce_retry_after = True
    settings.networking.connect_timeout = 10.0
    settings.networking.request_timeout = 60.0
    settings.watching.chunk_size = 500
    settings.watching.reconnect_backoff = pause_s
    settings.queueing.idle_timeout = 0.2
    settings.queueing.exit_timeout = 0.5
    # Else it kills the process ten minutes after a loop that was ended, whatever runs in it by then.
    settings.process.ultimate_exiting_timeout = None
    settings.persistence.diffbase_storage = _NoDiffs()
    return settings
