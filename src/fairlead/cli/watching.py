"""Follows objects on threads: every state of each goes to one queue, across watches that end and restarts."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fairlead.cli.client import ApiError, Client, Unreachable
from fairlead.cli.kinds import Resource
from fairlead.cli.kubeconfig import Target

_RETRY_S = 0.5
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Subject:
    """One object that is followed."""

    resource: Resource
    namespace: str
    name: str

    @property
    def label(self) -> str:
        return f"{self.resource.singular}/{self.name}"


Update = tuple[Subject | None, "dict[str, Any] | Exception | None"]
"""An object as it is now, or `None` for one that is gone; with no subject, why a feed has ended."""
Updates = queue.Queue[Update]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What to follow: one object, or every object of a kind when `name` is empty (in every namespace when that is).
    `patience_s` is how long a server may stay away."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    patience_s: float = 10.0


@contextmanager
def updates_of(target: Target, feeds: Sequence[Feed]) -> Iterator[Updates]:
    """The queue, fed while the context is open."""
    updates: Updates = queue.Queue()
    ended = threading.Event()
    for feed in feeds:
        # Daemon threads: each sits in a read that only the server or the end of this process wakes.
        threading.Thread(target=_follow, args=(Client(target), feed, updates, ended), daemon=True).start()
    try:
        yield updates
    finally:
        ended.set()


def _follow(client: Client, feed: Feed, updates: Updates, ended: threading.Event) -> None:
    with client:
        _follow_until(client, feed, updates, ended)


def _follow_until(client: Client, feed: Feed, updates: Updates, ended: threading.Event) -> None:
    known = {Subject(feed.resource, feed.namespace, feed.name)} if feed.name else set()
    missed_s = 0.0
    # A server that ends every watch at once must not be asked without a pause.
    while not ended.wait(_PAUSE_S):
        try:
            version = _put_current(client, feed, known, updates)
            missed_s = 0.0
            _put_changes(client, feed, version, known, updates)
        except ApiError as problem:
            # 410: what we last saw is too long ago to go on from there.
            if problem.http != 410:
                updates.put((None, problem))
                return
        except (Unreachable, OSError) as problem:
            missed_s += _RETRY_S
            if missed_s > feed.patience_s:
                updates.put((None, problem))
                return
            ended.wait(_RETRY_S)


def _put_current(client: Client, feed: Feed, known: set[Subject], updates: Updates) -> str:
    """Queue everything as it is now, and what has gone meanwhile; gives the version that a watch goes on from."""
    listed = client.get(feed.resource.path(feed.namespace), _query(feed))
    found = {_subject(feed, item): {"kind": feed.resource.kind, **item} for item in listed.get("items") or []}
    for subject in known - found.keys():
        updates.put((subject, None))
    for subject, item in found.items():
        updates.put((subject, item))
    if not feed.name:
        known.clear()
    known.update(found)
    return str((listed.get("metadata") or {}).get("resourceVersion", ""))


def _put_changes(client: Client, feed: Feed, version: str, known: set[Subject], updates: Updates) -> None:
    query = {**_query(feed), "resourceVersion": version}
    for event in client.watch(feed.resource.path(feed.namespace), query):
        if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            continue
        subject = _subject(feed, event["object"])
        known.add(subject)
        updates.put((subject, None if event["type"] == "DELETED" else event["object"]))


def _query(feed: Feed) -> dict[str, str]:
    return {"fieldSelector": f"metadata.name={feed.name}"} if feed.name else {}


def _subject(feed: Feed, item: dict[str, Any]) -> Subject:
    meta = item["metadata"]
    return Subject(feed.resource, str(meta.get("namespace", "")), str(meta["name"]))
