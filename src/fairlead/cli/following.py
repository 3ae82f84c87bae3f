"""Waits until objects are ready, and shows how it goes."""

import queue
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.cli import readiness
from fairlead.cli.exits import CommandFailed, TimedOut
from fairlead.cli.kubeconfig import Target
from fairlead.cli.live import view
from fairlead.cli.readiness import Readiness, Stage
from fairlead.cli.watching import Feed, Subject, Updates, updates_of

_PENDING = Readiness(stage=Stage.WORKING, word="Pending")


def wait_until_ready(target: Target, subjects: Sequence[Subject], *, timeout_s: float) -> None:
    """Return when every subject is ready. Raises `CommandFailed` with the reason as soon as one has failed, and
    `TimedOut` with what each is still doing."""
    latest = dict.fromkeys(subjects, _PENDING)
    deadline = time.monotonic() + timeout_s
    feeds = [Feed(resource=each.resource, namespace=each.namespace, name=each.name) for each in subjects]
    with updates_of(target, feeds) as updates, view(latest) as show:
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
    updates: Updates, deadline: float, latest: Mapping[Subject, Readiness]
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
    assert subject is not None
    return subject, item
