"""PAYLOAD_PASSTHROUGH over a real socket: bytes in, bytes out, whichever way the worker answers."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairlead.dataplane.spec import Placement, Ready, TcpSocket
from fairlead.plan.model import Chain, Method
from support.serving import call, worker_spec
from support.workers import RunningWorker, python_unit, running_worker, started_worker

pytestmark = pytest.mark.slow

MIRROR = """
class Mirror:
    def predict_raw(self, body):
        if body == b"number":
            return 3
        if body == b"dict":
            return {"strData": "a dict", "status": {"code": 418}}
        if body == b"fail":
            raise ValueError("no such bytes")
        return body[::-1]

    def transform_input(self, X, names):
        return X
"""

PLAIN = """
class Plain:
    def predict(self, X, names):
        return X * 2
"""

PREDICT = "/api/v1.0/predictions"
JSON = {"Content-Type": "application/json"}
OCTETS = {"Content-Type": "application/octet-stream"}
EVERY_BYTE = bytes(range(256)) + b'"meta": {} <&>'
PASS = {"PAYLOAD_PASSTHROUGH": "True"}


@contextmanager
def serving(folder: Path, source: str = MIRROR, name: str = "Mirror", **fields: bool) -> Iterator[RunningWorker]:
    (folder / f"{name}.py").write_text(source)
    placement = Placement(unit="classifier", env=PASS)
    with running_worker(python_unit(folder, name), placement=placement, **fields) as worker:
        yield worker


@pytest.fixture(scope="module", params=[True, False], ids=["bare unit", "graph of one"])
def worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    with serving(tmp_path_factory.mktemp("mirror"), single_unit=request.param) as worker:
        yield worker


def test_bytes_go_in_and_come_back_unchanged(worker: RunningWorker) -> None:
    answer = worker.request("POST", PREDICT, EVERY_BYTE, OCTETS)

    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert answer.body == EVERY_BYTE[::-1]


def test_bytes_stay_bytes_once_the_unit_is_known_to_be_quick(worker: RunningWorker) -> None:
    answers = [worker.request("POST", PREDICT, EVERY_BYTE, OCTETS).body for _ in range(6)]

    assert answers == [EVERY_BYTE[::-1]] * 6


def test_json_is_not_written_anew(worker: RunningWorker) -> None:
    text = b'{ "b":1e0,"a": "<&>", "meta": {} }'

    answer = worker.request("POST", PREDICT, text[::-1], JSON)

    assert (answer.body, answer.headers["content-type"]) == (text, "application/json")


def test_a_compressed_body_is_handed_over_as_it_is(worker: RunningWorker) -> None:
    body = gzip.compress(b"text")

    answer = worker.request("POST", PREDICT, body, OCTETS | {"Content-Encoding": "gzip"})

    assert answer.body == body[::-1]
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ({}, "application/json"),
        ({"Content-Type": "image/png"}, "image/png"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "application/octet-stream"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "application/octet-stream"),
    ],
)
def test_an_answer_has_the_content_type_of_what_was_asked(
    worker: RunningWorker, asked: dict[str, str], answered: str
) -> None:
    answer = worker.request("POST", PREDICT, b"abc", asked)

    assert (answer.body, answer.headers["content-type"]) == (b"cba", answered)


def test_a_dict_is_a_message_all_the_same(worker: RunningWorker) -> None:
    answer = worker.request("POST", PREDICT, b"dict", OCTETS)

    assert (answer.status, json.loads(answer.body)["strData"]) == (418, "a dict")


@pytest.mark.parametrize(
    ("body", "status", "info"),
    [(b"fail", 500, "no such bytes"), (b"number", 400, "predict_raw must return bytes")],
)
def test_failures_are_answered_as_ever(worker: RunningWorker, body: bytes, status: int, info: str) -> None:
    answer = worker.request("POST", PREDICT, body, OCTETS)

    assert answer.status == status
    assert info in json.loads(answer.body)["status"]["info"]


def test_other_methods_are_asked_with_messages(tmp_path: Path) -> None:
    with serving(tmp_path, single_unit=True) as worker:
        answer = worker.request("POST", "/transform-input", b'{"data":{"ndarray":[[1]]}}', JSON)

        assert json.loads(answer.body)["data"]["ndarray"] == [[1]]


def test_a_class_without_predict_raw_is_asked_as_ever(tmp_path: Path) -> None:
    with serving(tmp_path, PLAIN, "Plain") as worker:
        answer = worker.request("POST", PREDICT, b'{"data":{"ndarray":[[1]]}}', JSON)

        assert json.loads(answer.body)["data"]["ndarray"] == [[2]]


def test_in_a_chain_the_bytes_are_the_answer_of_the_unit_before(tmp_path: Path) -> None:
    (tmp_path / "Plain.py").write_text(PLAIN)
    (tmp_path / "Count.py").write_text("class Count:\n    def predict_raw(self, body):\n        return body.rstrip()\n")
    units = [python_unit(tmp_path, "Plain", "plain"), python_unit(tmp_path, "Count", "count")]
    steps = Chain(steps=(call("plain", Method.PREDICT), call("count"), call("plain", Method.PREDICT)))
    placements = [Placement(unit="plain"), Placement(unit="count", env=PASS)]
    spec = worker_spec(units, steps, http=TcpSocket("127.0.0.1", 0), placements=placements)

    with started_worker(spec) as worker:
        assert isinstance(worker.last_word(), Ready)
        answer = worker.request("POST", PREDICT, b'{"data":{"ndarray":[[1]]}}', JSON)

    assert json.loads(answer.body)["data"]["ndarray"] == [[4]]
