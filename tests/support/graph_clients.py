"""One question put to a graph in every protocol, over REST and over gRPC, and what came of it in the same words."""

import asyncio
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from fairlead.plan.model import Protocol
from fairlead.protocols import protos
from support.grpc_calls import as_bytes
from support.grpc_channels import channel_to

ROWS = [[1.0, 2.0], [3.0, 4.0]]
_SHAPE = [2, 2]
_FLAT = [value for row in ROWS for value in row]


@dataclass(frozen=True)
class Outcome:
    """`values` of an answer, or the `words` of a failure with the unit that failed and its status or code."""

    values: list[list[float]] | None = None
    words: str = ""
    unit: str = ""
    code: str = ""
    body: Any = None


@dataclass(frozen=True)
class Question:
    """How one protocol asks and answers over one transport."""

    protocol: Protocol
    is_grpc: bool
    path: str
    asked: Any
    read: Callable[[Any], Any]
    messages: tuple[str, str] = ("", "")

    async def put(self, port: int, headers: dict[str, str] | None = None, prefix: str = "") -> Outcome:
        """Ask whoever listens there. REST has a path's `prefix` to say who is meant, gRPC has metadata alone."""
        ask = self._over_grpc if self.is_grpc else self._over_rest
        return await asyncio.to_thread(ask, port, headers or {}, prefix)

    def _over_rest(self, port: int, headers: dict[str, str], prefix: str) -> Outcome:
        status, answered, body = post(port, prefix + self.path, self.asked, headers)
        if status == 200:
            return Outcome(values=self.read(body), body=body)
        return Outcome(words=_words(body), unit=answered.get("fairlead-unit", ""), code=str(status), body=body)

    def _over_grpc(self, port: int, headers: dict[str, str], prefix: str) -> Outcome:
        data = as_bytes(self.messages[0], self.asked)
        with channel_to(port) as channel:
            try:
                got = channel.unary_unary(self.path)(data, timeout=30, metadata=list(headers.items()))
            except grpc.RpcError as error:
                trailers = dict(error.trailing_metadata() or ())
                return Outcome(words=error.details(), unit=trailers.get("fairlead-unit", ""), code=error.code().name)
        body = protos.message(self.messages[1]).FromString(got)
        return Outcome(values=self.read(body), body=body)


def post(port: int, path: str, asked: Any, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], Any]:
    """Status, headers and value of a request with JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        own = {"Content-Type": "application/json", **(headers or {})}
        connection.request("POST", path, json.dumps(asked).encode(), own)
        answer = connection.getresponse()
        got = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(got)
    finally:
        connection.close()


def questions() -> dict[str, Question]:
    """Every way of asking, by a name for test ids."""
    rest = {
        "seldon": Question(
            Protocol.SELDON,
            False,
            "/api/v1.0/predictions",
            {"data": {"ndarray": ROWS}},
            lambda body: body["data"]["ndarray"],
        ),
        "v2": Question(
            Protocol.V2,
            False,
            "/v2/models/dep/infer",
            {"inputs": [{"name": "x", "shape": _SHAPE, "datatype": "FP64", "data": _FLAT}]},
            lambda body: _shaped(body["outputs"][0]["data"]),
        ),
        "tensorflow": Question(
            Protocol.TENSORFLOW,
            False,
            "/v1/models/dep:predict",
            {"instances": ROWS},
            lambda body: body["predictions"],
        ),
        "v1": Question(
            Protocol.V1,
            False,
            "/v1/models/dep:predict",
            {"instances": ROWS},
            lambda body: body["predictions"],
        ),
    }
    over_grpc = {
        "seldon": Question(
            Protocol.SELDON,
            True,
            "/seldon.protos.Seldon/Predict",
            {"data": {"tensor": {"shape": _SHAPE, "values": _FLAT}}},
            lambda body: _shaped(body.data.tensor.values),
            ("seldon.protos.SeldonMessage", "seldon.protos.SeldonMessage"),
        ),
        "v2": Question(
            Protocol.V2,
            True,
            "/inference.GRPCInferenceService/ModelInfer",
            {
                "model_name": "dep",
                "inputs": [{"name": "x", "shape": _SHAPE, "datatype": "FP64", "contents": {"fp64_contents": _FLAT}}],
            },
            lambda body: _shaped(body.outputs[0].contents.fp64_contents or np.frombuffer(body.raw_output_contents[0])),
            ("inference.ModelInferRequest", "inference.ModelInferResponse"),
        ),
        "tensorflow": Question(
            Protocol.TENSORFLOW,
            True,
            "/tensorflow.serving.PredictionService/Predict",
            {
                "model_spec": {"name": "dep"},
                "inputs": {
                    "x": {
                        "dtype": 2,
                        "tensor_shape": {"dim": [{"size": 2}, {"size": 2}]},
                        "tensor_content": np.array(_FLAT).tobytes(),
                    }
                },
            },
            lambda body: _shaped(_doubles(next(iter(body.outputs.values())))),
            ("tensorflow.serving.PredictRequest", "tensorflow.serving.PredictResponse"),
        ),
    }
    named = {f"{name}-rest": question for name, question in rest.items()}
    return named | {f"{name}-grpc": question for name, question in over_grpc.items()}


def _shaped(values: Any) -> list[list[float]]:
    shaped: list[list[float]] = np.array(values, np.float64).reshape(len(ROWS), -1).tolist()
    return shaped


def _doubles(tensor: Any) -> Any:
    return list(tensor.double_val) or np.frombuffer(tensor.tensor_content)


def _words(body: Any) -> str:
    status = body.get("status")
    return str(status.get("info", "")) if isinstance(status, dict) else str(body.get("error", ""))
