"""Waits for objects to become ready and shows how it goes: a calm view for a person, a line per change for a pipe.

One watch per object on a thread of its own feeds a queue; the view and the verdict are made from what arrives.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairlead.cli import output, readiness
from fairlead.cli.client import ApiError, Client, Unreachable
from fairlead.cli.exits import CommandFailed, TimedOut
from fairlead.cli.kinds import Resource
from fairlead.cli.kubeconfig import Target
from fairlead.cli.readiness import Readiness, Stage

if TYPE_CHECKING:
    from rich.table import Table

_PENDING = Readiness(stage=Stage.WORKING, word="Pending")


@dataclass(frozen=True, slots=True)
class Subject:
    """One object that is waited for."""

    resource: Resource
    namespace: str
    name: str

    @property
    def label(self) -> str:
        return f"{self.resource.singular}/{self.name}"


Update = tuple[Subject, "dict[str, Any] | Exception | None"]
"""An object as it is now, `None` when it is gone, or why it cannot be watched any longer."""


def wait_until_ready(target: Target, subjects: Sequence[Subject], *, timeout_s: float) -> None:
    """Return when every subject is ready. Raises `CommandFailed` with the reason as soon as one has failed, and
    `TimedOut` with what each is still doing."""
    latest = dict.fromkeys(subjects, _PENDING)
    deadline = time.monotonic() + timeout_s
    with _updates(target, subjects) as updates, _view(latest) as show:
        while not all(seen.stage is Stage.READY for seen in latest.values()):
            subject, item = _next(updates, deadline, latest)
            seen = readiness.read(item) if item is not None else _PENDING
            if seen == latest[subject]:
                continue
            latest[subject] = seen
            show(subject, seen)
            if seen.stage is Stage.FAILED:
                raise CommandFailed(f"{subject.label} in namespace {subject.namespace} failed: {seen.why or seen.word}")


def _next(
    updates: "queue.Queue[Update]", deadline: float, latest: dict[Subject, Readiness]
) -> tuple[Subject, dict[str, Any] | None]:
    try:
        subject, item = updates.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        waiting = [
            f"{subject.label}: {seen.word}{f': {seen.why}' if seen.why else ''}"
            for subject, seen in latest.items()
            if seen.stage is not Stage.READY
        ]
        raise TimedOut("not ready in time: " + "; ".join(waiting)) from None
    if isinstance(item, Exception):
        raise item
    return subject, item


@contextmanager
def _updates(target: Target, subjects: Sequence[Subject]) -> Iterator["queue.Queue[Update]"]:
    updates: queue.Queue[Update] = queue.Queue()
    ended = threading.Event()
    for subject in subjects:
        # Daemon threads: each sits in a read that only the server or the end of this process wakes.
        threading.Thread(target=_watch, args=(Client(target), subject, updates, ended), daemon=True).start()
    try:
        yield updates
    finally:
        ended.set()


def _watch(client: Client, subject: Subject, updates: "queue.Queue[Update]", ended: threading.Event) -> None:
    """Put every state of one object on the queue. A watch that ends is taken up again from what is there then."""
    path = subject.resource.path(subject.namespace)
    failures = 0
    while not ended.is_set():
        try:
            version = _put_current(client, subject, updates)
            failures = 0
            query = {"fieldSelector": f"metadata.name={subject.name}", "resourceVersion": version}
            for event in client.watch(path, query):
                if event["type"] == "DELETED":
                    updates.put((subject, None))
                elif event["type"] in ("ADDED", "MODIFIED"):
                    updates.put((subject, event["object"]))
        except ApiError as problem:
            if problem.http != 410:
                updates.put((subject, problem))
                return
        except (Unreachable, OSError) as problem:
            # A server that restarts answers again within seconds; one that stays away is told to the person.
            failures += 1
            if failures > 20 or ended.wait(0.5):
                updates.put((subject, problem))
                return


def _put_current(client: Client, subject: Subject, updates: "queue.Queue[Update]") -> str:
    """Queue the object as it is now (`None` when it is not there) and give the version a watch goes on from."""
    listed = client.get(subject.resource.path(subject.namespace), {"fieldSelector": f"metadata.name={subject.name}"})
    found = [item for item in listed.get("items") or [] if item["metadata"]["name"] == subject.name]
    updates.put((subject, {"kind": subject.resource.kind, **found[0]} if found else None))
    return str((listed.get("metadata") or {}).get("resourceVersion", ""))


_Show = Callable[[Subject, Readiness], None]


@contextmanager
def _view(latest: dict[Subject, Readiness]) -> Iterator[_Show]:
    if output.is_person():
        with _live_view(latest) as show:
            yield show
    else:
        yield _print_line


def _print_line(subject: Subject, seen: Readiness) -> None:
    output.say(f"{subject.label} {seen.word}{f': {seen.why}' if seen.why else ''}")


@contextmanager
def _live_view(latest: dict[Subject, Readiness]) -> Iterator[_Show]:
    from rich.live import Live

    started = time.monotonic()
    with Live(
        get_renderable=lambda: _rows(latest, time.monotonic() - started),
        console=output.console(),
        refresh_per_second=10,
    ) as live:
        yield lambda _subject, _seen: live.refresh()


def _rows(latest: dict[Subject, Readiness], elapsed_s: float) -> "Table":
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for subject, seen in latest.items():
        mark, style = _mark(seen.stage, elapsed_s)
        table.add_row(Text(f"{mark} {subject.label}"), Text(seen.word, style=style), Text(seen.why))
        if seen.share is not None:
            table.add_row("", "", ProgressBar(total=1.0, completed=seen.share, width=40))
    return table


def _mark(stage: Stage, elapsed_s: float) -> tuple[str, str]:
    if stage is Stage.READY:
        return "✓", "green"
    if stage is Stage.FAILED:
        return "✗", "red"
    return "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(elapsed_s * 10) % 10], "yellow"
