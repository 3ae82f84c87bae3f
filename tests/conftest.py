"""Fixtures that every part of the suite may use."""

import signal
from collections import defaultdict
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So it is when a script runs the suite in its background, and every process of a test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write expected files of golden folders anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where workers share the files, those that take long come first, so that none is left with one at the end."""
    if hasattr(config, "workerinput"):
        lengths: defaultdict[Path, float] = defaultdict(float)
        for item in items:
            lengths[item.path] += _about_s(item)
        items.sort(key=lambda item: -lengths[item.path])


def _about_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("slow")
    return 0.01 if marker is None else float((*marker.args, 1.0)[0])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What this machine could not check is named, so that nobody takes its silence for success."""
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        why = reason.removeprefix("Skipped: ").removeprefix("not run: ")
        terminalreporter.write_line(f"not run: {report.nodeid}: {why}", yellow=True)
