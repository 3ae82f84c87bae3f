"""The calm view: one line per object with how far it is, redrawn in place; on a pipe, a line per change."""

import queue
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fairlead.cli import output, readiness
from fairlead.cli.kubeconfig import Target
from fairlead.cli.readiness import Readiness, Stage
from fairlead.cli.watching import Feed, Subject, Updates, updates_of

if TYPE_CHECKING:
    from rich.table import Table

Show = Callable[[Subject, Readiness], None]
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@contextmanager
def view(latest: Mapping[Subject, Readiness]) -> Iterator[Show]:
    """Shows `latest`, which the caller keeps up to date; the function given is called after each change."""
    if not output.is_person():
        yield _print_line
        return
    from rich.constrain import Constrain
    from rich.live import Live

    console, started = output.console(), time.monotonic()

    def draw() -> Constrain:
        # A terminal writes `^C` where the cursor is: room for it keeps the last line one line.
        return Constrain(_rows(latest, time.monotonic() - started), console.width - 4)

    with Live(get_renderable=draw, console=console, refresh_per_second=10) as live:
        yield lambda _subject, _seen: live.refresh()


def show_all_until(has_ended: Callable[[], bool], target: Target, feed: Feed) -> None:
    """For a person who leaves `up` running: everything of a kind as it comes and goes."""
    latest: dict[Subject, Readiness] = {}
    with updates_of(target, [feed]) as updates, view(latest) as show:
        while not has_ended():
            _take(updates, latest, show)


def _take(updates: Updates, latest: dict[Subject, Readiness], show: Show) -> None:
    try:
        subject, item = updates.get(timeout=0.25)
    except queue.Empty:
        return
    if subject is None:
        return
    if isinstance(item, dict):
        latest[subject] = readiness.read(item)
        show(subject, latest[subject])
    else:
        latest.pop(subject, None)


def _print_line(subject: Subject, seen: Readiness) -> None:
    # Why something failed is the message that the command ends with.
    why = f": {seen.why}" if seen.why and seen.stage is not Stage.FAILED else ""
    output.say(f"{subject.label} {seen.word}{why}")


def _rows(latest: Mapping[Subject, Readiness], elapsed_s: float) -> "Table":
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    # A copy: the redraw happens on a thread of its own.
    for subject, seen in list(latest.items()):
        mark, style = _mark(seen.stage, elapsed_s)
        table.add_row(Text(f"{mark} {subject.label}"), Text(seen.word, style=style), Text(seen.why or seen.address))
        if seen.share is not None:
            table.add_row("", "", ProgressBar(total=1.0, completed=seen.share, width=40))
    return table


def _mark(stage: Stage, elapsed_s: float) -> tuple[str, str]:
    if stage is Stage.READY:
        return "✓", "green"
    if stage is Stage.FAILED:
        return "✗", "red"
    return _FRAMES[int(elapsed_s * 10) % len(_FRAMES)], "yellow"
