"""The fuzzer finds nothing in ten seconds, and would say so if it did."""

import subprocess
import sys
from pathlib import Path

import pytest
from bench.fuzz.judging import complaints_about, tracebacks

ROOT = Path(__file__).parents[2]
ASKED = b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.slow
def test_ten_seconds_of_wrong_bytes_harm_nobody(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.fuzz", "--seconds", "10", "--seed", "1", "--out", str(tmp_path / "found")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)

    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 findings" in done.stdout


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nSeldon-Puid: a\r\nX-Injected: 1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc",
        b'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 26\r\n\r\n{"reason":"InternalError"}',
        b"nonsense",
    ],
)
def test_an_answer_that_must_not_be_is_noticed(answer: bytes) -> None:
    assert complaints_about(answer, ASKED)


def test_right_answers_raise_no_complaint() -> None:
    answer = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 204 No\r\n\r\n"
    )

    assert complaints_about(answer, ASKED) == []


LOGGED = """\
2026-01-01 10:00:00,000 INFO a: ready
2026-01-01 10:00:01,000 ERROR a: failed
Traceback (most recent call last):
  File "/x/{place}.py", line 1, in f
    f()
{error}: words

2026-01-01 10:00:02,000 INFO a: more
"""


def test_only_exceptions_that_are_a_mistake_of_ours_are_findings() -> None:
    (entry,) = tracebacks(LOGGED.format(place="fairlead/x", error="TypeError"))
    assert "TypeError: words" in entry

    assert tracebacks(LOGGED.format(place="sklearn/x", error="TypeError")) == []
    assert tracebacks(LOGGED.format(place="fairlead/x", error="fairlead.errors.BadRequest")) == []
