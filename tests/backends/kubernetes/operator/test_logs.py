"""What the log says, and how often."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from fairlead.backends.kubernetes.operator.logs import Calm, JsonLines, configure


@pytest.fixture
def kept_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    levels = {name: logging.getLogger(name).level for name in ("kopf", "httpx2", "httpcore2", "asyncio")}
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def record(message: str, name: str = "fairlead", error: BaseException | None = None) -> logging.LogRecord:
    trace = (type(error), error, error.__traceback__) if error is not None else None
    return logging.LogRecord(name, logging.WARNING, "", 0, message, (), trace)


def test_a_line_is_said_once_a_minute() -> None:
    now = [0.0]
    calm = Calm(lambda: now[0])

    assert [calm.filter(record("away")), calm.filter(record("away")), calm.filter(record("other"))] == [1, 0, 1]
    now[0] = 61.0
    assert calm.filter(record("away"))


def test_tracebacks_are_always_said() -> None:
    calm = Calm(lambda: 0.0)

    assert all(calm.filter(record("bug", error=ValueError("x"))) for _ in range(3))


def test_what_kopf_says_of_its_own_tries_is_left_to_us() -> None:
    calm = Calm(lambda: 0.0)

    assert not calm.filter(record("Request attempt #1 failed", "kopf._cogs.clients.api"))
    assert calm.filter(record("something else", "kopf._cogs.clients.api"))


def test_a_line_of_json_has_what_collectors_look_for() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        line = json.loads(JsonLines().format(record("bug", error=error)))

    assert (line["level"], line["logger"], line["msg"]) == ("warning", "fairlead", "bug")
    assert "ValueError: broken" in line["stacktrace"]


@pytest.mark.usefixtures("kept_logging")
def test_requests_are_not_logged_one_by_one() -> None:
    stream = io.StringIO()
    configure("INFO", as_json=False, stream=stream)

    logging.getLogger("httpx2").info("HTTP Request: GET …")
    logging.getLogger("fairlead").info("said")

    assert "said" in stream.getvalue()
    assert "HTTP Request" not in stream.getvalue()
