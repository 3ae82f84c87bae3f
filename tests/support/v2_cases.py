"""What is asked of every server that claims the Open Inference Protocol, to see where they differ: one question and the
short word for what came of it. The comparison with other servers and the test of our own column share it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.conformance_models import Place, Places
from support.instance import call
from support.peers import PeerProcess, Refused
from support.v2_clients import Answered, Given, StreamRefused, Tensor, Way

_LONGEST = 120
Peers = dict[str, PeerProcess]
Ask = Callable[[Places, Peers], str]


@dataclass(frozen=True, slots=True)
class Case:
    """A question by its name."""

    name: str
    ask: Ask

    def outcome(self, places: Places, peers: Peers) -> str:
        """What the server does, in one line that is the same every time."""
        try:
            return self.ask(places, peers)
        except Refused as error:
            words = f"{error.status} {error.words}" if error.status else f"the client fails: {error.words}"
        except StreamRefused as error:
            words = f"refused: {error}"
        return _short(words)


def _of(places: Places, model: str) -> Place:
    return places.get(model, places["mirror"])


def _short(words: str) -> str:
    words = re.sub(r"127\.0\.0\.1:\d+", "HOST", words)
    words = re.sub(r", '\d+ [\w ]+' for url '[^']*'", "", words)  # which KServe's client adds to every refusal
    words = re.sub(r"\s+", " ", words.replace("|", "/")).strip()
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


def _posted(body: Any, *, model: str = "mirror", path: str = "", headers: dict[str, str] | None = None) -> Ask:
    """A body that no client would write, over REST."""

    def ask(places: Places, peers: Peers) -> str:
        place = _of(places, model)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://{place.rest}{path or f'/v2/models/{model}/infer'}"
        answer = call(url, "POST", data, {"Content-Type": "application/json", **(headers or {})})
        said = answer.body.decode("utf-8", "replace")
        if answer.status != 200:
            return _short(f"{answer.status} {said}")
        try:
            outputs = json.loads(said)["outputs"]
        except ValueError:
            return "200, not JSON"
        return _short(f"200 {json.dumps([one['data'] for one in outputs])}")

    return ask


def _tensor(data: Any, *, shape: Any = (1,), datatype: str = "FP32", **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "shape": list(shape), "datatype": datatype, "data": data}], **more}


_WAYS: dict[str, dict[str, Any]] = {
    "JSON": {"library": "kserve", "kind": "rest", "is_binary": False},
    "Triton's JSON": {"library": "triton", "kind": "http", "is_binary": False},
    "binary": {"library": "triton", "kind": "http"},
    "gRPC": {"library": "triton", "kind": "grpc"},
    "stream": {"library": "triton", "kind": "grpc", "call": "stream"},
    "gRPC typed": {"library": "kserve", "kind": "grpc", "is_binary": False},
}


def _inferred(way: str, *inputs: Given, model: str = "mirror", outputs: tuple[str, ...] = (), **options: Any) -> Ask:
    """A question of a real client."""

    def ask(places: Places, peers: Peers) -> str:
        answer = Way(peers, **_WAYS[way]).infer(_of(places, model), model, inputs, outputs, **options)
        return _same(answer, inputs) if model == "mirror" else f"answered {_values(answer)}"

    return ask


def _values(answer: Answered) -> Any:
    return next(iter(answer.outputs.values())).values


def _same(answer: Answered, inputs: tuple[Given, ...]) -> str:
    """Whether the mirror gave back what it got."""
    for given, got in zip(inputs, answer.outputs.values(), strict=True):
        if repr(got.values) != repr(_flat(given.values)) or got.datatype != given.datatype:
            return _short(f"another tensor: {_shown(got)}")
    return "the same comes back"


def _shown(one: Tensor) -> str:
    return f"{one.datatype} {one.values}"


def _flat(values: Any) -> list[Any]:
    return [one for value in values for one in _flat(value)] if isinstance(values, list) else [values]


def _asked(way: str, method: str, **arguments: Any) -> Ask:
    def ask(places: Places, peers: Peers) -> str:
        said = Way(peers, **_WAYS[way]).ask(places["mirror"], method, **arguments)
        return "done" if said is None else f"answered {said}" if isinstance(said, bool) else "answered"

    return ask


_THREE = Given("x", "FP32", [1.0, 2.0, 3.0], shape=[2, 2])
_NARROW = Given("x", "FP64", [[5.1, 3.5]])
_IRIS = Given("x", "FP64", [[5.1, 3.5, 1.4, 0.2]])
_ONE = Given("x", "FP32", [1.0])
_NAN = float("nan")
_PART = json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "parameters": {"binary_data_size": 4}}]})

CASES = (
    Case("body that is no JSON", _posted(b'{"inputs": [')),
    Case("no inputs", _posted({})),
    Case("a tensor without data", _posted({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32"}]})),
    Case("words for FP32", _posted(_tensor(["a"]))),
    Case("1.5 for INT32", _posted(_tensor([1.5], datatype="INT32"))),
    Case("300 for UINT8", _posted(_tensor([300], datatype="UINT8"))),
    Case("a negative size", _posted(_tensor([1.0], shape=(-1,)))),
    Case("three values for [2, 2], JSON", _inferred("JSON", _THREE)),
    Case("three values for [2, 2], binary", _inferred("binary", _THREE)),
    Case("three values for [2, 2], gRPC", _inferred("gRPC", _THREE)),
    Case("datatype FP99, JSON", _inferred("JSON", Given("x", "FP32", [1.0], says="FP99"))),
    Case("datatype FP99, gRPC", _inferred("gRPC", Given("x", "FP32", [1.0], says="FP99"))),
    Case("two features of four, JSON", _inferred("JSON", _NARROW, model="iris")),
    Case("two features of four, gRPC", _inferred("gRPC", _NARROW, model="iris")),
    Case("words for features, JSON", _inferred("JSON", Given("x", "BYTES", [["a", "b", "c", "d"]]), model="iris")),
    Case("an output that is not there, JSON", _inferred("JSON", _IRIS, model="iris", outputs=("nope",))),
    Case("an output that is not there, gRPC", _inferred("gRPC", _IRIS, model="iris", outputs=("nope",))),
    Case("unknown model, JSON", _inferred("JSON", _ONE, model="nope")),
    Case("unknown model, gRPC", _inferred("gRPC", _ONE, model="nope")),
    Case("octets without Inference-Header-Content-Length",
         _posted(_PART.encode() + b"\0\0\0\0", headers={"Content-Type": "application/octet-stream"})),
    Case("fewer binary bytes than announced",
         _posted(_PART.encode() + b"\0", headers={"Inference-Header-Content-Length": str(len(_PART))})),
    Case("largest UINT64, JSON", _inferred("JSON", Given("x", "UINT64", [2**64 - 1]))),
    Case("largest UINT64, binary", _inferred("binary", Given("x", "UINT64", [2**64 - 1]))),
    Case("FP16, binary", _inferred("binary", Given("x", "FP16", [1.5]), outputs=("x",))),
    Case("FP16, gRPC", _inferred("gRPC", Given("x", "FP16", [1.5]))),
    Case("NaN, JSON", _inferred("JSON", Given("x", "FP64", [_NAN, 1.0]))),
    Case("infinity, Triton's JSON", _inferred("Triton's JSON", Given("x", "FP64", [float("inf")]))),
    Case("bytes that are no text, binary", _inferred("binary", Given("x", "BYTES", ["\xff\xfe"]), outputs=("x",))),
    Case("bytes that are no text, gRPC", _inferred("gRPC", Given("x", "BYTES", ["\xff\xfe"]))),
    Case("an empty tensor, JSON", _inferred("JSON", Given("x", "FP32", []))),
    Case("an empty tensor, gRPC", _inferred("gRPC", Given("x", "FP32", []))),
    Case("typed contents, gRPC", _inferred("gRPC typed", Given("x", "INT8", [-1]))),
    Case("Triton's client, JSON", _inferred("Triton's JSON", _ONE)),
    Case("gzip body", _inferred("Triton's JSON", _ONE, request_compression_algorithm="gzip")),
    Case("deflate body", _inferred("Triton's JSON", _ONE, request_compression_algorithm="deflate")),
    Case("stream of questions, gRPC", _inferred("stream", _ONE)),
    Case("a model that fails, JSON", _inferred("JSON", _ONE, parameters={"fail": True})),
    Case("a model that fails, gRPC", _inferred("gRPC", _ONE, parameters={"fail": True})),
    Case("repository index, REST", _asked("binary", "get_model_repository_index")),
    Case("repository index, gRPC", _asked("gRPC", "get_model_repository_index")),
    Case("load a model nobody knows, REST", _asked("binary", "load_model", model_name="nope")),
    Case("load a model nobody knows, gRPC", _asked("gRPC", "load_model", model_name="nope")),
    Case("readiness of a model nobody knows, REST", _asked("binary", "is_model_ready", model_name="nope")),
    Case("Triton's model configuration, REST", _asked("binary", "get_model_config", model_name="mirror")),
)  # fmt: skip
