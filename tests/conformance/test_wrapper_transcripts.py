"""The bytes of Seldon's Python wrapper, over a real socket to a real worker of one bare unit.

The pairs are observations of seldon-core 1.18.2. `META` stands for the meta of a unit that adds
nothing but its request path.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.workers import RunningWorker, python_unit, running_worker

META = '"meta":{"requestPath":{"classifier":"seldonio/sklearnserver:1.11.0"}}'
BAD = '{"status":{"code":-1,"info":"%s","reason":"MICROSERVICE_BAD_DATA","status":1}}'
INTERNAL = '{"status":{"code":-1,"info":"%s","reason":"MICROSERVICE_INTERNAL_ERROR","status":1}}'

DOUBLES = """
import numpy as np

class Doubles:
    def predict(self, X, names, meta=None):
        if isinstance(X, np.ndarray) and X.size and X.dtype.kind in "if":
            return X * 2.0
        return X
"""

FAILS = """
class Fails:
    def predict(self, X, names, meta=None):
        if X == "none":
            return None
        raise ValueError("X has 5 features, expecting 4")
"""


@pytest.fixture(scope="module")
def doubles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    folder = tmp_path_factory.mktemp("doubles")
    (folder / "Doubles.py").write_text(DOUBLES)
    with running_worker(python_unit(folder, "Doubles"), single_unit=True) as worker:
        yield worker


@pytest.fixture(scope="module")
def fails(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    folder: Path = tmp_path_factory.mktemp("fails")
    (folder / "Fails.py").write_text(FAILS)
    with running_worker(python_unit(folder, "Fails"), single_unit=True) as worker:
        yield worker


TRANSCRIPTS = [
    (
        "/predict",
        {"data": {"names": ["a", "b", "c", "d"], "ndarray": [[1, 2, 3, 4]]}},
        200,
        f'{{"data":{{"names":["t:0","t:1","t:2","t:3"],"ndarray":[[2.0,4.0,6.0,8.0]]}},{META}}}',
    ),
    (
        "/api/v1.0/predictions",
        {"meta": {"puid": "abc", "tags": {"x": 1}, "routing": {"r": 1}}, "data": {"ndarray": [[1, 2, 3, 4]]}},
        200,
        '{"data":{"names":["t:0","t:1","t:2","t:3"],"ndarray":[[2.0,4.0,6.0,8.0]]},"meta":{"puid":"abc",'
        '"requestPath":{"classifier":"seldonio/sklearnserver:1.11.0"},"tags":{"x":1}}}',
    ),
    (
        "/predict",
        {"data": {"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}}},
        200,
        f'{{"data":{{"names":["t:0","t:1"],"tensor":{{"shape":[2,2],"values":[2.0,4.0,6.0,8.0]}}}},{META}}}',
    ),
    ("/predict", {"data": {"ndarray": [1, 2]}}, 200, f'{{"data":{{"names":[],"ndarray":[2.0,4.0]}},{META}}}'),
    ("/predict", {"strData": "hello"}, 200, f'{{{META},"strData":"hello"}}'),
    ("/predict", {"jsonData": {"a": [1, 2], "b": "x"}}, 200, f'{{"jsonData":{{"a":[1,2],"b":"x"}},{META}}}'),
    (
        "/predict",
        {"jsonData": [1, 2]},
        200,
        f'{{"data":{{"names":[],"tensor":{{"shape":[2],"values":[1,2]}}}},{META}}}',
    ),
    ("/predict", {"binData": "aGVsbG8="}, 200, f'{{"binData":"aGVsbG8=",{META}}}'),
    ("/predict", {"data": {}}, 200, f'{{"data":{{"names":[],"ndarray":[]}},{META}}}'),
    ("/predict", {"foo": 1}, 400, BAD % "Invalid request data type: {'foo': 1}"),
    (
        "/send-feedback",
        {"request": {"data": {"ndarray": [[1, 2]]}}, "reward": 1.0, "truth": {"data": {"ndarray": [[1]]}}},
        200,
        f'{{"data":{{"ndarray":[]}},{META}}}',
    ),
    ("/send-feedback", {"reward": "x"}, 400, BAD % "Invalid JSON: Failed to parse reward field: "
     "Couldn't parse float: x at Feedback.reward."),
    ("/aggregate", [{"data": {"ndarray": [[1, 2]]}}], 400, BAD % "Aggregate not defined"),
    ("/route", {"data": {"ndarray": [[1, 2]]}}, 400, BAD % "Route not defined"),
    (
        "/transform-input",
        {"data": {"ndarray": [[1, 2]]}},
        200,
        f'{{"data":{{"names":["t:0","t:1"],"ndarray":[[1,2]]}},{META}}}',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "status", "body"), TRANSCRIPTS)
def test_posted_json_gets_the_wrappers_bytes(
    doubles: RunningWorker, path: str, value: Any, status: int, body: str
) -> None:
    answer = doubles.request("POST", path, json.dumps(value).encode(), {"Content-Type": "application/json"})

    assert (answer.status, answer.body.decode()) == (status, body + "\n")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-length"] == str(len(body) + 1)


@pytest.mark.parametrize(
    ("kind", "body"),
    [("application/json", b"nope"), ("application/json", b""), ("text/plain", b'{"strData":"a"}'), ("", b"{}")],
)
def test_requests_without_json_get_the_wrappers_bytes(doubles: RunningWorker, kind: str, body: bytes) -> None:
    answer = doubles.request("POST", "/predict", body, {"Content-Type": kind} if kind else {})

    assert (answer.status, answer.body.decode()) == (400, BAD % "Can't find JSON in data" + "\n")


def test_nan_is_read_and_written_as_python_does(doubles: RunningWorker) -> None:
    answer = doubles.request(
        "POST", "/predict", b'{"data":{"ndarray":[[NaN,1,-Infinity]]}}', {"Content-Type": "application/json"}
    )

    assert b'"ndarray":[[NaN,2.0,-Infinity]]' in answer.body


def test_text_is_ascii(doubles: RunningWorker) -> None:
    answer = doubles.request("POST", "/predict", '{"strData":"<é&>"}'.encode(), {"Content-Type": "application/json"})

    assert answer.body.decode() == f'{{{META},"strData":"<\\u00e9&>"}}\n'


@pytest.mark.parametrize(
    ("text", "status", "body"),
    [
        ("x", 500, INTERNAL % "X has 5 features, expecting 4"),
        ("none", 400, BAD % "Unknown data type returned as payload (must be list or np array):None"),
    ],
)
def test_failures_of_the_model_get_the_wrappers_bytes(fails: RunningWorker, text: str, status: int, body: str) -> None:
    answer = fails.request(
        "POST", "/predict", json.dumps({"strData": text}).encode(), {"Content-Type": "application/json"}
    )

    assert (answer.status, answer.body.decode()) == (status, body + "\n")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"json=%7B%22strData%22%3A%22a%22%7D"),
        (
            "multipart/form-data; boundary=B",
            b'--B\r\nContent-Disposition: form-data; name="strData"\r\n\r\na\r\n--B--\r\n',
        ),
    ],
)
def test_forms_carry_messages(doubles: RunningWorker, kind: str, body: bytes) -> None:
    answer = doubles.request("POST", "/predict", body, {"Content-Type": kind})

    assert (answer.status, answer.body.decode()) == (200, f'{{{META},"strData":"a"}}\n')


GETS = [
    ("/predict?json=%7B%22strData%22%3A%22a%22%7D", 200, "application/json", f'{{{META},"strData":"a"}}\n'),
    ("/health/ping", 200, "text/html; charset=utf-8", "pong"),
    ("/health/status", 200, "application/json", f'{{{META},"strData":"healthy"}}\n'),
    ("/api/v1.0/health/status", 200, "application/json", f'{{{META},"strData":"healthy"}}\n'),
    (
        "/metadata",
        200,
        "application/json",
        '{"custom":{},"inputs":[],"name":"seldonio/sklearnserver","outputs":[],"platform":"","versions":["1.11.0"]}\n',
    ),
    (
        "/nope",
        404,
        "application/json",
        INTERNAL % "404 Not Found: The requested URL was not found on the server. If you entered the URL manually "
        "please check your spelling and try again." + "\n",
    ),
]


@pytest.mark.parametrize(("path", "status", "kind", "body"), GETS)
def test_gets_get_the_wrappers_bytes(doubles: RunningWorker, path: str, status: int, kind: str, body: str) -> None:
    answer = doubles.request("GET", path)

    assert (answer.status, answer.headers["content-type"], answer.body.decode()) == (status, kind, body)


def test_a_wrong_verb_is_405_in_the_wrappers_shape(doubles: RunningWorker) -> None:
    answer = doubles.request("DELETE", "/predict")

    assert answer.status == 405
    assert answer.headers["allow"] == "GET, POST"
    assert (
        answer.body.decode()
        == INTERNAL % ("405 Method Not Allowed: The method is not allowed for the requested URL.") + "\n"
    )


def test_a_preflight_is_answered(doubles: RunningWorker) -> None:
    answer = doubles.request(
        "OPTIONS", "/predict", headers={"Origin": "http://a", "Access-Control-Request-Method": "POST"}
    )

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "http://a"
    assert answer.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert answer.headers["allow"] == "GET, POST, OPTIONS"
