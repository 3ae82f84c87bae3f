"""What gRPC clients of the soak ask, with grpcio's own client: unary calls, streams, deadlines, cancelled calls."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import grpc
import numpy as np

from bench.soak.http_client import ANSWER_S
from bench.soak.rest_traffic import through_graph
from bench.soak.scene import Scene
from bench.soak.tally import Wrong
from fairlead.protocols.protos import message

CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
_REFUSALS = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})
_TRANSPORT = ("Socket closed", "failed to connect", "recvmsg", "Connection reset", "Broken pipe", "GOAWAY")
"""Words of the client itself, when it is the connection that failed."""
_HIDDEN = "Internal error from Core"
"""grpcio's words when a stream ended while it was being written to: then it does not say how."""


class ConnectionLost(Exception):
    """The transport broke under a call."""


class GrpcTraffic:
    """Kinds of calls over one channel."""

    def __init__(self, port: int, scene: Scene, chance: random.Random) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        self._scene = scene
        self._chance = chance
        self._predict = self._channel.unary_unary("/seldon.protos.Seldon/Predict")
        self._infer = self._channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        self._stream = self._channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()

    async def predict(self) -> str:
        """Seldon's own call."""
        rows, puid = self._rows(3), self._id()
        return await self._seldon("iris", rows, puid, lambda: self._scene.probabilities(rows))

    async def graph(self) -> str:
        """Five units in one worker."""
        rows, puid = self._rows(2), self._id()
        return await self._seldon("graph", rows, puid, lambda: through_graph(rows))

    async def large(self) -> str:
        """One to eight MiB of numbers that come back."""
        count = self._chance.randint(1, 8) << 17
        rows = np.random.default_rng(self._chance.getrandbits(32)).random((count // 8, 8))
        return await self._seldon("echo", rows, self._id(), lambda: rows)

    async def infer(self) -> str:
        """The Open Inference Protocol, by the name of the model alone."""
        rows, id = np.array(self._rows(self._chance.randint(1, 20))), self._id()
        is_raw = self._chance.random() < 0.5
        try:
            raw = await self._infer(_question(rows, id, is_raw=is_raw), timeout=ANSWER_S)
        except grpc.aio.AioRpcError as error:
            return _refusal(error)
        _check_infer(message("inference.ModelInferResponse").FromString(raw), id, self._scene.probabilities(rows))
        return "right"

    async def stream(self) -> str:
        """Twenty questions on one stream, four of them under way at a time; answers come in any order."""
        asked: dict[str, Any] = {}
        room = asyncio.Semaphore(4)

        async def questions() -> AsyncIterator[bytes]:
            for number in range(20):
                await room.acquire()
                rows, id = np.array(self._rows(2)), self._id()
                asked[id] = rows
                yield _question(rows, id, is_raw=number % 2 == 0)

        call = self._stream(questions(), timeout=ANSWER_S)
        answered = 0
        try:
            async for raw in call:
                said = message("inference.ModelStreamInferResponse").FromString(raw)
                if said.error_message:
                    raise Wrong(f"a good question of a stream failed: {said.error_message}")
                rows = asked.pop(said.infer_response.id, None)
                if rows is None:
                    raise Wrong(f"a stream gave an answer {said.infer_response.id!r} that nobody waits for")
                _check_infer(said.infer_response, said.infer_response.id, self._scene.probabilities(rows))
                answered += 1
                room.release()
        except grpc.aio.AioRpcError as error:
            return _refusal(error)
        finally:
            call.cancel()
        if answered != 20:
            raise Wrong(f"a stream of 20 questions ended OK with {answered} answers")
        return "right"

    async def deadline(self) -> str:
        """A call whose time is up before its unit is done, or comfortably not."""
        nap_s, limit_s = self._chance.choice(((0.4, 0.1), (0.3, 0.05), (0.01, 10.0)))
        rows, puid = [[nap_s, self._chance.random()]], self._id()
        try:
            said = await self._seldon("late", rows, puid, lambda: np.asarray(rows), limit_s=limit_s)
        except DeadlineExceeded:
            if limit_s > 1:
                raise Wrong(f"{nap_s} s of work took longer than {limit_s} s") from None
            return "deadline exceeded"
        if said == "right" and nap_s > limit_s:
            raise Wrong(f"{nap_s} s of work were answered within a deadline of {limit_s} s")
        return said

    async def cancelled(self) -> str:
        """A call, or a stream, that its client gives up."""
        if self._chance.random() < 0.5:
            request = predict_request(np.array([[0.05, self._chance.random()]]), self._id())
            call: Any = self._predict(request, metadata=_to("slow"), timeout=ANSWER_S)
        else:
            call = self._stream(timeout=ANSWER_S)
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                for _ in range(self._chance.randint(0, 5)):
                    await call.write(_question(np.array(self._rows(2)), self._id(), is_raw=True))
        await asyncio.sleep(self._chance.uniform(0, 0.1))
        call.cancel()
        return "cancelled"

    async def _seldon(
        self, name: str, rows: Any, puid: str, expected: Callable[[], Any], *, limit_s: float = ANSWER_S
    ) -> str:
        values = np.asarray(rows)
        metadata = _to(name) if self._chance.random() < 0.5 else (*_to(name), ("x-request-id", puid))
        try:
            raw = await self._predict(predict_request(values, puid), metadata=metadata, timeout=limit_s)
        except grpc.aio.AioRpcError as error:
            return _refusal(error)
        said = message("seldon.protos.SeldonMessage").FromString(raw)
        _compare(np.array(said.data.tensor.values), expected().reshape(-1), said.meta.puid, puid)
        return "right"

    def _rows(self, count: int) -> list[list[float]]:
        return [[self._chance.uniform(0.1, 8) for _ in range(4)] for _ in range(count)]

    def _id(self) -> str:
        return f"{self._chance.getrandbits(96):024x}"


class DeadlineExceeded(Exception):
    """A call's time was up."""


def _to(name: str) -> tuple[tuple[str, str], ...]:
    return (("seldon", name), ("namespace", "default"))


def predict_request(values: Any, puid: str) -> bytes:
    """A call of Seldon's protocol with one tensor."""
    asked = message("seldon.protos.SeldonMessage")()
    asked.meta.puid = puid
    asked.data.tensor.shape.extend(values.shape)
    asked.data.tensor.values.extend(values.reshape(-1))
    encoded: bytes = asked.SerializeToString()
    return encoded


def _question(rows: Any, id: str, *, is_raw: bool) -> bytes:
    asked = message("inference.ModelInferRequest")(model_name="flowers", id=id)
    asked.outputs.add(name="predict_proba")
    tensor = asked.inputs.add(name="x", datatype="FP64", shape=rows.shape)
    if is_raw:
        asked.raw_input_contents.append(rows.astype("<f8").tobytes())
    else:
        tensor.contents.fp64_contents.extend(rows.reshape(-1))
    encoded: bytes = asked.SerializeToString()
    return encoded


def _check_infer(said: Any, id: str, expected: Any) -> None:
    (output,) = said.outputs
    if said.raw_output_contents:
        values = np.frombuffer(said.raw_output_contents[0], "<f8")
    else:
        values = np.array(output.contents.fp64_contents)
    _compare(values.reshape(list(output.shape)), expected, said.id, id)


def _compare(values: Any, expected: Any, id: str, asked_id: str) -> None:
    if id != asked_id:
        raise Wrong(f"the answer of {id} came for {asked_id}")
    if values.shape != expected.shape or not np.allclose(values, expected, rtol=1e-6, atol=1e-9):
        raise Wrong(f"{asked_id}: got {values.tolist()!r:.200}, expected {expected.tolist()!r:.200}")


def _refusal(error: grpc.aio.AioRpcError) -> str:
    code, words = error.code().name, error.details() or ""
    if words == _HIDDEN:
        return "refused while asking"
    if code == "DEADLINE_EXCEEDED":
        raise DeadlineExceeded(words)
    if any(known in words for known in _TRANSPORT):
        raise ConnectionLost(f"{code}: {words}")
    if code not in _REFUSALS:
        raise Wrong(f"a good call got {code}: {words}")
    if not words:
        raise Wrong(f"{code} without a word")
    return f"refused {code}|{words}"
