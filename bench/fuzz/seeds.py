"""Requests as clients send them: what every mutation starts from, and what the client beside the fuzzer asks.

The bodies are those of the documents of each protocol and of the clients that the conformance tests run.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any

from bench.fuzz.h2 import call
from fairlead.protocols import protos
from fairlead.protocols.grpc import frame_message

ROW = [5.1, 3.5, 1.4, 0.2]
JSON = ("Content-Type", "application/json")


@dataclass(frozen=True, slots=True)
class Seed:
    """One HTTP/1.1 request to the server called `target`."""

    target: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class CallSeed:
    """One gRPC call, as the frames of its stream after the client's greeting."""

    target: str
    path: str
    message: bytes
    metadata: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def frames(self) -> list[bytes]:
        """Headers and data."""
        return call(self.path.encode(), frame_message(self.message), self.metadata)


def _json(target: str, path: str, value: Any, *headers: tuple[str, str]) -> Seed:
    return Seed(target, "POST", path, (JSON, *headers), json.dumps(value).encode())


_TENSOR = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}
_SELDON = {"data": {"names": ["a", "b", "c", "d"], "ndarray": [ROW]}, "meta": {"tags": {"t": 1}, "puid": "p1"}}
_EVENT = (("ce-specversion", "1.0"), ("ce-id", "i"), ("ce-source", "s"), ("ce-type", "t"))


def _binary(target: str, model: str) -> Seed:
    values = struct.pack("<4d", *ROW)
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "parameters": {"binary_data_size": len(values)}}
    head = json.dumps({"id": "b1", "inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = (("Content-Type", "application/octet-stream"), ("Inference-Header-Content-Length", str(len(head))))
    return Seed(target, "POST", f"/v2/models/{model}/infer", headers, head + values)


def _multipart(target: str, path: str) -> Seed:
    body = b'--XX\r\nContent-Disposition: form-data; name="data"\r\n\r\n{"ndarray":[[5.1,3.5,1.4,0.2]]}\r\n--XX--\r\n'
    return Seed(target, "POST", path, (("Content-Type", "multipart/form-data; boundary=XX"),), body)


_TYPED = [
    ("BOOL", [True, False]),
    ("UINT8", [0, 255]),
    ("UINT64", [0, 2**64 - 1]),
    ("INT64", [-(2**63), 2**63 - 1]),
    ("FP16", [0.5, -1.0]),
    ("FP32", [0.1, 3e38]),
    ("BYTES", ["é", "\u0000"]),
]
_ECHOED = {
    "id": "e1",
    "inputs": [{"name": kind, "shape": [1, 2], "datatype": kind, "data": [data]} for kind, data in _TYPED],
    "outputs": [{"name": "output-0", "parameters": {"binary_data": False}}],
}

_DIRECT = [
    _json("iris", "/api/v1.0/predictions", _SELDON),
    _json("iris", "/api/v1.0/predictions", {"data": {"tensor": {"shape": [1, 4], "values": ROW}}}),
    _json("iris", "/api/v0.1/predictions", {"data": {"ndarray": [ROW]}}, ("Seldon-Puid", "p2")),
    _json("iris", "/api/v1.0/predictions", {"data": {"ndarray": [ROW]}}, *_EVENT),
    _json("iris", "/api/v1.0/predictions", {"jsonData": {"a": [1, None]}}),
    _json("iris", "/api/v1.0/predictions", {"strData": "é"}),
    _json("iris", "/api/v1.0/predictions", {"binData": "AAEC"}),
    _json("iris", "/api/v1.0/feedback", {"request": _SELDON, "response": _SELDON, "reward": 1.0, "truth": _SELDON}),
    _json("iris", "/predict", {"data": {"ndarray": [ROW]}}),
    _json("iris", "/aggregate", {"seldonMessages": [_SELDON, _SELDON]}),
    _json("iris", "/send-feedback", {"request": _SELDON, "reward": 0.5}),
    _multipart("iris", "/api/v1.0/predictions"),
    Seed("iris", "GET", "/predict?json=%7B%22data%22%3A%7B%22ndarray%22%3A%5B%5B1%2C2%2C3%2C4%5D%5D%7D%7D"),
    Seed("iris", "GET", "/api/v1.0/metadata"),
    Seed("iris", "GET", "/api/v1.0/metadata/classifier"),
    Seed("iris", "GET", "/api/v1.0/status/classifier"),
    Seed("iris", "GET", "/api/v1.0/doc/", (("X-Forwarded-Prefix", "/a"),)),
    Seed("iris", "GET", "/api/v1.0/doc/seldon.json", (("X-Forwarded-Prefix", "/a"),)),
    Seed("iris", "GET", "/api/v1.0/doc"),
    Seed("iris", "OPTIONS", "/predict", (("Origin", "http://a"), ("Access-Control-Request-Method", "POST"))),
    Seed("iris", "GET", "/prometheus"),
    _json("iris", "/v1/models/classifier:predict", {"instances": [ROW]}),
    _json("iris", "/v1/models/iris:explain", {"instances": [ROW]}),
    Seed("iris", "GET", "/v1/models/classifier"),
    _json("iris", "/v2/models/classifier/infer", {"id": "v1", "inputs": [_TENSOR], "parameters": {"p": 1}}),
    _json("iris", "/v2/models/iris/infer", {"inputs": [_TENSOR]}, *_EVENT),
    _binary("iris", "classifier"),
    Seed("iris", "GET", "/v2/models/classifier"),
    Seed("iris", "GET", "/v2/docs/dataplane.yaml"),
    Seed("iris", "POST", "/v2/repository/index", (JSON,), b'{"ready": true}'),
    _json("flow", "/v1/models/classifier:predict", {"instances": [ROW]}),
    _json("flow", "/v1/models/classifier/versions/1:predict", {"inputs": [ROW], "signature_name": "serving_default"}),
    _json("flow", "/v1/models/classifier:classify", {"examples": [{"a": 1.0, "b": [1, 2], "c": {"b64": "AA=="}}]}),
    _json("flow", "/v1/models/classifier:regress", {"examples": [{"a": 1.0}], "context": {"b": "x"}}),
    Seed("flow", "GET", "/v1/models/classifier/metadata"),
    Seed("flow", "GET", "/v1/models/classifier/versions/1"),
    _json("echo", "/v2/models/model/infer", _ECHOED),
    _json("echo", "/v2/models/model/infer", {"inputs": [_TENSOR]}, *_EVENT),
    _json("echo", "/v1/models/model:predict", {"instances": [ROW, ["é", {"b64": "AA=="}]]}),
    _json("echo", "/v1/models/model:predict", {"instances": [ROW]}, *_EVENT),
    _json(
        "echo",
        "/v1/models/model:predict",
        {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"instances": [ROW]}},
        ("content-type", "application/cloudevents+json"),
    ),
    _binary("echo", "model"),
    Seed("echo", "GET", "/v2/models/model/ready"),
    Seed("echo", "GET", "/v2"),
]
_GATEWAY = [
    Seed("gateway", "GET", "/", (("Accept", "text/html"),)),
    Seed("gateway", "GET", "/-/healthy"),
    Seed("gateway", "GET", "/-/metrics"),
]


def requests() -> list[Seed]:
    """Every request, at its worker and through the gateway."""
    through = [Seed("gateway", s.method, f"/seldon/fuzz/{s.target}{s.path}", s.headers, s.body) for s in _DIRECT]
    return [*_DIRECT, *through, *_GATEWAY]


def calls() -> list[CallSeed]:
    """Every gRPC call, at its worker and through the gateway."""
    direct = [CallSeed(target, path, message) for target, path, message in _calls()]
    through = [
        CallSeed("gateway", one.path, one.message, ((b"seldon", one.target.encode()), (b"namespace", b"fuzz")))
        for one in direct
    ]
    return [*direct, *through]


def _calls() -> list[tuple[str, str, bytes]]:
    seldon = {"data": {"names": ["a"], "tensor": {"shape": [1, 4], "values": ROW}}, "meta": {"puid": "g1"}}
    v2: dict[str, Any] = {
        "model_name": "classifier",
        "id": "g2",
        "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "contents": {"fp64_contents": ROW}}],
    }
    raw: dict[str, Any] = v2 | {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64"}]}
    raw |= {"raw_input_contents": [struct.pack("<4d", *ROW)]}
    texts: dict[str, Any] = {
        "name": "t",
        "shape": [2],
        "datatype": "BYTES",
        "contents": {"bytes_contents": [b"a", b"\xff"]},
    }
    flow = {"model_spec": {"name": "classifier"}, "inputs": {"x": _tensor_proto()}}
    infer = "/inference.GRPCInferenceService/ModelInfer"
    return [
        ("iris", "/seldon.protos.Seldon/Predict", _message("seldon.protos.SeldonMessage", seldon)),
        ("iris", "/seldon.protos.Model/Predict", _message("seldon.protos.SeldonMessage", seldon)),
        ("iris", "/seldon.protos.Seldon/SendFeedback", _message("seldon.protos.Feedback", {"request": seldon})),
        ("iris", infer, _message("inference.ModelInferRequest", v2)),
        ("iris", infer, _message("inference.ModelInferRequest", raw)),
        ("echo", infer, _message("inference.ModelInferRequest", v2 | {"model_name": "model", "inputs": [texts]})),
        ("echo", infer, _message("inference.ModelInferRequest", raw | {"model_name": "model"})),
        ("flow", "/tensorflow.serving.PredictionService/Predict", _message("tensorflow.serving.PredictRequest", flow)),
        ("iris", "/grpc.health.v1.Health/Check", b""),
    ]


def _tensor_proto() -> dict[str, Any]:
    dims = [{"size": 1}, {"size": 4}]
    return {"dtype": 2, "tensor_shape": {"dim": dims}, "double_val": ROW}


def _message(name: str, fields: dict[str, Any]) -> bytes:
    # Maps of messages cannot be given to a constructor as dicts.
    maps = {key: value for key, value in fields.items() if name.endswith("PredictRequest") and key == "inputs"}
    made = protos.message(name)(**{key: value for key, value in fields.items() if key not in maps})
    for key, value in maps.items():
        for entry, item in value.items():
            getattr(made, key)[entry].CopyFrom(protos.message("tensorflow.TensorProto")(**item))
    return bytes(made.SerializeToString())
