"""A bar for one transfer: drawn for a person, and nothing on a pipe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fairlead.cli import output


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """The function that is given counts bytes that have passed."""
    if not output.is_person():
        yield lambda _count: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(bar_width=28), DownloadColumn(binary_units=True),
        TransferSpeedColumn(), TimeRemainingColumn(compact=True),
    )  # fmt: skip
    with Progress(*columns, console=output.console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total or None)
        yield lambda count: progress.advance(task, count)
