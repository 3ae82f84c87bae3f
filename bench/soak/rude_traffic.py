"""Clients that err or leave: they must harm nobody, and what can be answered is answered with what they did wrong."""

import asyncio
import random
from typing import Any

import grpc
import orjson

from bench.soak.grpc_traffic import CHANNEL_OPTIONS
from bench.soak.http_client import ANSWER_S, Http1, post
from bench.soak.rest_traffic import REFUSALS
from bench.soak.tally import Wrong

_IRIS = "/seldon/default/iris/api/v1.0/predictions"
_SLOW = "/seldon/default/slow/api/v1.0/predictions"
_V2 = "/seldon/default/oip/v2/models/flowers/infer"


class RudeTraffic:
    """Kinds of requests that are no good, and of clients that do not wait."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self._port = port
        self._chance = chance
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()

    async def bad_request(self) -> str:
        """One that is refused because of what it says."""
        marker = f"{self._chance.getrandbits(64):016x}"
        ragged = b'{"data":{"ndarray":[[1,2],[3]]}}'
        short = orjson.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [1]}]})
        request, status = self._chance.choice(
            (
                (post(_IRIS, b'{"data": '), 400),
                (post(_IRIS, b'{"data":{"ndarray":[[1,2]]}}'), None),
                (post(_IRIS, ragged), 500),  # with the words of Seldon's wrapper, whose clients know them
                (post(_IRIS, b"[]"), 400),
                (post(_V2, short), 400),
                (post(f"/seldon/default/oip/v2/models/{marker}/infer", short), 404),
                (post(f"/seldon/default/{marker}/api/v1.0/predictions", ragged), 404),
                (post(f"/nowhere/{marker}", b""), 404),
                (f"GET {_IRIS}?{marker} HTTP/1.1\r\nHost: soak\r\n\r\n".encode(), None),
                (b"POST / HTTP/1.1\r\nHost: soak\r\nContent-Length: nine\r\n\r\n", 400),
                (b"BAD WORDS\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost: soak\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n", 431),
                (post(_IRIS, b"", b"Transfer-Encoding: chunked"), 400),
            )
        )
        client = Http1(self._port)
        try:
            answer = await client.ask(request)
        finally:
            client.cut()
        if answer.status in REFUSALS:
            return f"refused {answer.status}"
        if not (answer.status == status or (status is None and 200 <= answer.status < 500)):
            raise Wrong(f"{request[:120]!r} got {answer.status}, not {status}: {answer.body[:200]!r}")
        return f"answered {answer.status}"

    async def bad_call(self) -> str:
        """The same over gRPC."""
        marker = f"{self._chance.getrandbits(64):016x}"
        infer, predict = "/inference.GRPCInferenceService/ModelInfer", "/seldon.protos.Seldon/Predict"
        path, body, metadata, code = self._chance.choice(
            (
                (infer, b"\x0a\x10" + marker.encode(), (), "NOT_FOUND"),
                (infer, b"\x0a\xff", (("seldon", "oip"),), "INVALID_ARGUMENT"),
                (predict, b"\xff\xff", (("seldon", "iris"),), "INVALID_ARGUMENT"),
                (predict, b"", (("seldon", marker),), "NOT_FOUND"),
                (f"/nobody.{marker}/Call", b"", (("seldon", "iris"),), "UNIMPLEMENTED"),
            )
        )
        try:
            await self._channel.unary_unary(path)(body, metadata=metadata, timeout=ANSWER_S)
        except grpc.aio.AioRpcError as error:
            found = error.code().name
            if found == code:
                return f"answered {found}"
            if found == "UNAVAILABLE":
                return "refused UNAVAILABLE"
            raise Wrong(f"{path} {body!r} {metadata} got {found}, not {code}: {error.details()}") from error
        raise Wrong(f"{path} {body!r} {metadata} got OK, not {code}")

    async def hang_up(self) -> str:
        """A client that leaves at one of many moments."""
        client = Http1(self._port)
        ways: tuple[Any, ...] = (
            (post(_IRIS, b"x")[:40], 0.0),
            (post(_IRIS, bytes(300_000))[:100_000], 0.0),
            (_nap(0.1), 0.0),
            (_nap(0.1), 0.05),
            (_nap(0.03) * 4, 0.05),
            (post(_IRIS, orjson.dumps({"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}})) * 30, 0.0),
            (post("/seldon/default/echo/api/v1.0/predictions", orjson.dumps({"strData": "x" * 3_000_000})), 0.01),
        )
        data, stay_s = self._chance.choice(ways)
        await client.send(data)
        await asyncio.sleep(stay_s)
        client.cut(resets=self._chance.random() < 0.5)
        return "left"


def _nap(seconds: float) -> bytes:
    return post(_SLOW, orjson.dumps({"data": {"ndarray": [[seconds, 1.0]]}}))
