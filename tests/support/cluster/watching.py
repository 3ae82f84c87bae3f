"""Watches: what has changed since a revision, and goes on changing, as lines of JSON."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from fairlead.control.api import tables
from fairlead.control.api.negotiation import Form
from support.cluster.calls import Call
from support.cluster.columns import layout
from support.cluster.reading import Matches, form_of, matching
from support.cluster.refusals import Refusal, gone, too_large
from support.cluster.state import State
from support.cluster.storage import Change

Document = dict[str, Any]


class Cut(Exception):
    """The connection shall break in mid-stream."""


class Watch:
    """One open watch."""

    def __init__(self, state: State, call: Call, matches: Matches) -> None:
        self._state = state
        self.call = call
        self._matches = matches
        self._form = form_of(call)
        self._waiting: deque[bytes | type[Cut] | None] = deque()
        self._woken = asyncio.Event()
        self._has_headers = False
        self._unlisten: Callable[[], None] = lambda: None
        self.events = 0

    def begin(self) -> None:
        """Take up what happened since the revision that the client names, and follow from here."""
        call, storage = self.call, self._state.storage
        revision = call.number("resourceVersion")
        if call.flag("sendInitialEvents") or revision == 0:
            for document in storage.all(call.resource.key, call.namespace):
                if self._matches(document):
                    self._send("ADDED", document)
            if call.flag("sendInitialEvents") and call.flag("allowWatchBookmarks"):
                self.bookmark({"k8s.io/initial-events-end": "true"})
        else:
            _check_revision(revision, storage.compacted, storage.revision)
            for change in storage.since(revision, call.resource.key):
                self._follow(change)
        self._unlisten = storage.listen(call.resource.key, self._follow)

    def _follow(self, change: Change) -> None:
        call, document = self.call, change.document
        if call.namespace and document["metadata"].get("namespace") != call.namespace:
            return
        was = change.before is not None and self._matches(change.before)
        matches = change.type != "DELETED" and self._matches(document)
        if was and not matches:
            before = change.before or document
            metadata = {**before["metadata"], "resourceVersion": document["metadata"]["resourceVersion"]}
            self._send("DELETED", {**before, "metadata": metadata})
        elif matches:
            self._send("MODIFIED" if was else "ADDED", document)

    def _send(self, kind: str, document: Document) -> None:
        document = {**document, "apiVersion": self.call.api_version}
        self.events += 1
        self._push({"type": kind, "object": self._shown(document)})

    def _shown(self, document: Document) -> Document:
        if self._form is Form.METADATA:
            return tables.partial_metadata(document)
        if self._form is not Form.TABLE:
            return document
        include = self.call.params.get("includeObject", "Metadata")
        metadata = {"resourceVersion": document["metadata"]["resourceVersion"]}
        found = tables.table(
            layout(self.call.resource, self.call.version),
            [document],
            metadata=metadata,
            now=self._state.clock(),
            include=include,
        )
        if self._has_headers:
            found["columnDefinitions"] = None
        self._has_headers = True
        return found

    def bookmark(self, annotations: dict[str, str] | None = None) -> None:
        """Tell how far the watch has come, if the client wants to know."""
        if not self.call.flag("allowWatchBookmarks"):
            return
        metadata: Document = {"resourceVersion": str(self._state.storage.revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        resource = self.call.resource
        marked = {"kind": resource.kind, "apiVersion": self.call.api_version, "metadata": metadata}
        self._push({"type": "BOOKMARK", "object": marked})

    def fail(self, refusal: Refusal) -> None:
        """Send an ERROR event and end."""
        self._push({"type": "ERROR", "object": refusal.status()})
        self.end()

    def end(self) -> None:
        """End as a server does whose timeout has come."""
        self._unlisten()
        self._waiting.append(None)
        self._woken.set()

    def cut(self) -> None:
        """Break the connection."""
        self._unlisten()
        self._waiting.append(Cut)
        self._woken.set()

    def _push(self, event: Document) -> None:
        self._waiting.append(orjson.dumps(event) + b"\n")
        self._woken.set()

    async def lines(self) -> AsyncIterator[bytes]:
        """Until the watch ends; several events at once when they have piled up."""
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                together = []
                while self._waiting:
                    item = self._waiting.popleft()
                    if isinstance(item, bytes):
                        together.append(item)
                        continue
                    if together:
                        yield b"".join(together)
                    if item is Cut:
                        raise Cut
                    return
                yield b"".join(together)
        finally:
            self._unlisten()


def _check_revision(asked: int, compacted: int, newest: int) -> None:
    if asked < compacted:
        raise gone(f"too old resource version: {asked} ({compacted})")
    if asked > newest:
        raise too_large(asked, newest)


class Watches:
    """Every open watch, for tests that disturb them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.open: list[Watch] = []
        self._opened = asyncio.Event()
        self.refuses_the_expired = False

    def start(self, call: Call) -> Watch:
        """A new one. A revision that has been forgotten is told in the stream, or at once by the code of the answer:
        API servers do both."""
        watch = Watch(self._state, call, matching(call))
        try:
            watch.begin()
        except Refusal as refusal:
            if refusal.code != 410 or self.refuses_the_expired:
                raise
            watch.fail(refusal)
        self.open.append(watch)
        self._opened.set()
        return watch

    def stop(self, watch: Watch) -> None:
        """One that is over."""
        watch.end()
        if watch in self.open:
            self.open.remove(watch)

    async def until_open(self, plural: str, count: int = 1) -> None:
        """Wait until somebody follows a kind."""
        while len(self.of(plural)) < count:
            self._opened.clear()
            await self._opened.wait()

    def of(self, plural: str = "") -> list[Watch]:
        """Those of a kind, or all."""
        return [watch for watch in self.open if plural in ("", watch.call.resource.plural)]
