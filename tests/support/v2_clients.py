"""Real clients of the Open Inference Protocol under one face, so that one suite asks the same of all of them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from support.conformance_models import Place
from support.peers import PeerProcess

BAD = frozenset({"400", "INVALID_ARGUMENT"})
MISSING = frozenset({"404", "NOT_FOUND"})


@dataclass(frozen=True, slots=True)
class Given:
    """An input. `values` are nested as the tensor is (text with one character a byte for BYTES); `shape` and `says`,
    the datatype, lie about them where a test wants that."""

    name: str
    datatype: str
    values: Any
    shape: Sequence[int] | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An output; its values are flat."""

    datatype: str
    shape: list[int]
    values: list[Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a client shows of an answer."""

    model: str
    id: str
    outputs: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Way:
    """One client with one way to write tensors. It asks every place; `Refused` is what it raises."""

    peers: dict[str, PeerProcess]
    library: str
    kind: str
    is_binary: bool = True
    call: str = "infer"

    @property
    def is_grpc(self) -> bool:
        return self.kind == "grpc"

    @property
    def has_statuses(self) -> bool:
        """A stream that goes on gives words alone."""
        return self.call != "stream"

    def infer(
        self,
        place: Place,
        model: str,
        inputs: Sequence[Given],
        outputs: Sequence[str] = (),
        **options: Any,
    ) -> Answered:
        """Ask a model."""
        asked = {
            "model": model,
            "inputs": [self._input(one) for one in inputs],
            "outputs": [{"name": name, "binary": self.is_binary} for name in outputs],
            "options": options,
        }
        if self.call != "stream":
            return _answered(self._ask(place, call=self.call, **asked))
        [said] = self._ask(place, call="stream", questions=[asked])
        if "error" in said:
            raise StreamRefused(said["error"])
        return _answered(said)

    def stream(self, place: Place, questions: Sequence[tuple[str, Sequence[Given], str]]) -> "list[Answered | str]":
        """Ask several on one stream, each a model, its inputs and an id; failures are their words."""
        asked = [
            {"model": model, "inputs": [self._input(one) for one in inputs], "options": {"request_id": identity}}
            for model, inputs, identity in questions
        ]
        said = self._ask(place, call="stream", questions=asked)
        return [one["error"] if "error" in one else _answered(one) for one in said]

    def ask(self, place: Place, call: str, **arguments: Any) -> Any:
        """Any other method of the client."""
        return self._ask(place, call=call, arguments=arguments)

    def _ask(self, place: Place, **order: Any) -> Any:
        headers = place.metadata if self.is_grpc else {}
        if self.library == "triton":
            if order["call"] in ("infer", "async_infer") and headers:
                order["options"] = {**order["options"], "headers": headers}
            elif "arguments" in order and headers:
                order["arguments"] = {**order["arguments"], "headers": headers}
        scheme = "http://" if self.kind == "rest" else ""
        url = place.grpc if self.is_grpc else scheme + place.rest
        return self.peers[self.library].ask(client=self.kind, url=url, headers=headers, **order)

    def _input(self, given: Given) -> dict[str, Any]:
        array = {"$array": given.values, "$datatype": given.datatype}
        made: dict[str, Any] = {"name": given.name, "datatype": given.datatype, "array": array}
        made["binary"] = self.is_binary or given.datatype == "FP16"  # which no client writes as JSON
        if given.shape is not None:
            made["shape"] = list(given.shape)
        if given.says:
            made["says"] = given.says
        return made


class StreamRefused(Exception):
    """One question of a stream failed."""


def _answered(said: dict[str, Any]) -> Answered:
    outputs = {}
    for one in said["outputs"]:
        shape = [int(size) for size in one["shape"]]
        array = one["array"]
        assert list(itertools.chain(array["$shape"])) == shape, one
        outputs[one["name"]] = Tensor(one["datatype"], shape, array["$values"])
    return Answered(said["model"], said.get("id") or "", outputs)


WAYS: dict[str, dict[str, Any]] = {
    "triton-http-json": {"library": "triton", "kind": "http", "is_binary": False},
    "triton-http-binary": {"library": "triton", "kind": "http"},
    "triton-http-async": {"library": "triton", "kind": "http", "call": "async_infer"},
    "triton-grpc": {"library": "triton", "kind": "grpc"},
    "triton-grpc-async": {"library": "triton", "kind": "grpc", "call": "async_infer"},
    "triton-grpc-stream": {"library": "triton", "kind": "grpc", "call": "stream"},
    "kserve-rest-json": {"library": "kserve", "kind": "rest", "is_binary": False},
    "kserve-rest-binary": {"library": "kserve", "kind": "rest"},
    "kserve-grpc-typed": {"library": "kserve", "kind": "grpc", "is_binary": False},
    "kserve-grpc-raw": {"library": "kserve", "kind": "grpc"},
}
"""Every client with every way it writes tensors."""
