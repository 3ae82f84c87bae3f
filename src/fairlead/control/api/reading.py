"""The verbs that change nothing: get, list and watch."""

import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.responses import Response

from fairlead.control.api.answers import failure, to_json
from fairlead.control.api.calls import Call
from fairlead.control.api.negotiation import Form
from fairlead.control.api.rendering import Renderer
from fairlead.control.api.streams import Stream
from fairlead.control.store import Store, WatchEvent
from fairlead.errors import BadRequest, FairleadError

BOOKMARK_S = 60.0
# An API server ends watches after a random time, so that clients spread over its restarts.
_WATCH_S = (1800.0, 3600.0)
_INITIAL_EVENTS_END = {"annotations": {"k8s.io/initial-events-end": "true"}}


class Reading:
    """Answers from the store."""

    def __init__(self, store: Store, renderer: Renderer) -> None:
        self._store = store
        self._renderer = renderer

    async def get(self, call: Call) -> Response:
        """One object."""
        stored = await self._store.get(call.resource.storage, call.namespace, call.address.name)
        return self._renderer.one(call, stored)

    async def list(self, call: Call) -> Response:
        """Objects of one namespace or of all."""
        _revision_of(call)
        listing = await self._store.list(
            call.resource.storage,
            call.address.namespace,
            call.selector,
            limit=call.number("limit") or 0,
            page=call.text("continue"),
        )
        return self._renderer.many(call, listing)

    def watch(self, call: Call) -> Stream:
        """Changes from now on, or from a resourceVersion."""
        since, wants_state = _revision_of(call), call.flag("sendInitialEvents")
        if call.text("sendInitialEvents") and call.text("resourceVersionMatch") != "NotOlderThan":
            raise BadRequest('resourceVersionMatch: Required value: must be "NotOlderThan" with sendInitialEvents')
        if wants_state:
            since = None
        elif since is None and call.text("sendInitialEvents"):
            since = self._store.revision
        timeout_s = call.number("timeoutSeconds") or random.uniform(*_WATCH_S)  # noqa: S311 - spreads load only
        # Refused here, before the answer starts: what is wrong with the selectors and the accepted forms.
        selector, form = call.selector, call.form
        events = self._store.watch(
            call.resource.storage,
            call.address.namespace or selector.namespace,
            selector,
            since=since,
            bookmarks_s=BOOKMARK_S if call.flag("allowWatchBookmarks") else None,
        )
        media_type = "application/json;stream=watch" if form is Form.OBJECT else "application/json"
        lines = self._lines(call, events, wants_state=wants_state)
        return Stream(lines, media_type=media_type, timeout_s=float(timeout_s))

    async def _lines(
        self, call: Call, events: AsyncGenerator[WatchEvent, None], *, wants_state: bool
    ) -> AsyncGenerator[bytes, None]:
        is_first_bookmark = True
        try:
            async with aclosing(events):
                async for event in events:
                    if event.type != "BOOKMARK":
                        yield _line(event.type, self._renderer.document(call, event.object))
                    elif wants_state and is_first_bookmark:
                        is_first_bookmark = False
                        yield _line("BOOKMARK", self._bookmark(call, event.revision, _INITIAL_EVENTS_END))
                    elif call.flag("allowWatchBookmarks"):
                        yield _line("BOOKMARK", self._bookmark(call, event.revision, {}))
        except FairleadError as error:
            yield _line("ERROR", failure(error))

    def _bookmark(self, call: Call, revision: int, extra: dict[str, Any]) -> dict[str, Any]:
        metadata = {"resourceVersion": str(revision), "creationTimestamp": None, **extra}
        if call.form is Form.TABLE:
            return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "rows": None}
        kind = "PartialObjectMetadata" if call.form is Form.METADATA else call.resource.kind.kind
        version = "meta.k8s.io/v1" if call.form is Form.METADATA else call.resource.group_version(call.address.version)
        return {"kind": kind, "apiVersion": version, "metadata": metadata}


def _line(kind: str, document: dict[str, Any]) -> bytes:
    return to_json({"type": kind, "object": document}) + b"\n"


def _revision_of(call: Call) -> int | None:
    """The resourceVersion to start after; none for "any", which an empty one and 0 mean."""
    return call.number("resourceVersion") or None
