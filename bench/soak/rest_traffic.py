"""What REST clients of the soak ask. Every request has numbers and an id of its own, and so must its answer."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import orjson

from bench.soak.http_client import Answer, Http1, post, post_in_chunks
from bench.soak.scene import Scene
from bench.soak.tally import Wrong, refusal_of

REFUSALS = frozenset({429, 502, 503, 504})
Kind = Callable[[], Awaitable[str]]
"""Asks once, and says how that ended; raises `Wrong`."""


class RestTraffic:
    """Kinds of REST traffic over one connection each; `Kind`s by name come from `kinds`."""

    def __init__(self, port: int, scene: Scene, chance: random.Random) -> None:
        self._http = Http1(port)
        self._scene = scene
        self._chance = chance

    def cut(self) -> None:
        """Hang up."""
        self._http.cut()

    async def seldon(self) -> str:
        """A few rows for a classifier with two replicas."""
        rows, puid = self._rows(self._chance.randint(1, 5)), self._id()
        answer = await self._http.ask(self._seldon_request("iris", rows, puid, self._chance.choice((False, True))))
        return self._judge(answer, "seldon", lambda: _check_seldon(answer, puid, self._scene.probabilities(rows)))

    async def chunked(self) -> str:
        """The same in chunks."""
        rows, puid = self._rows(3), self._id()
        body = orjson.dumps({"data": {"ndarray": rows}, "meta": {"puid": puid}})
        cuts = sorted(self._chance.sample(range(1, len(body)), 3))
        pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        answer = await self._http.ask(post_in_chunks(_path("iris"), pieces))
        return self._judge(answer, "seldon", lambda: _check_seldon(answer, puid, self._scene.probabilities(rows)))

    async def pipelined(self) -> str:
        """Eight requests at once on one connection, answered in their order."""
        asked = [(self._rows(1), self._id()) for _ in range(8)]
        answers = await self._http.ask_all([self._seldon_request("iris", rows, puid) for rows, puid in asked])
        refusals = set()
        for (rows, puid), answer in zip(asked, answers, strict=True):
            found = self._judge(answer, "seldon", lambda: None)
            if answer.status == 200:
                _check_seldon(answer, puid, self._scene.probabilities(rows))
            else:
                refusals.add(found)
        return min(refusals, default="right")

    async def large_text(self) -> str:
        """One to eight MiB that come back."""
        text, puid = self._chance.randbytes(self._chance.randint(1, 8) << 19).hex(), self._id()
        body = orjson.dumps({"strData": text, "meta": {"puid": puid}})
        pieces = [body[at : at + 300_000] for at in range(0, len(body), 300_000)]
        is_chunked = self._chance.random() < 0.3
        answer = await self._http.ask(
            post_in_chunks(_path("echo"), pieces) if is_chunked else post(_path("echo"), body)
        )

        def check() -> None:
            said = answer.json()
            if said["strData"] != text or said["meta"]["puid"] != puid:
                raise Wrong(f"{len(text)} bytes came back as {len(said['strData'])} others, puid {said['meta']}")

        return self._judge(answer, "seldon", check)

    async def large_table(self) -> str:
        """A MiB of rows."""
        rows, puid = np.round(np.random.default_rng(self._chance.getrandbits(32)).random((12_000, 4)), 14), self._id()
        answer = await self._http.ask(self._seldon_request("iris", rows.tolist(), puid))
        return self._judge(answer, "seldon", lambda: _check_seldon(answer, puid, self._scene.probabilities(rows)))

    async def graph(self) -> str:
        """Five units in one worker."""
        rows, puid = self._rows(2), self._id()
        answer = await self._http.ask(self._seldon_request("graph", rows, puid))
        return self._judge(answer, "seldon", lambda: _check_seldon(answer, puid, through_graph(rows)))

    async def logged(self) -> str:
        """A unit whose payloads go to a file."""
        rows, puid = self._rows(2), self._id()
        answer = await self._http.ask(self._seldon_request("logged", rows, puid))
        return self._judge(answer, "seldon", lambda: _check_seldon(answer, puid, rows))

    async def limited(self) -> str:
        """A unit that takes two at once, and four that wait."""
        rows, puid = [[self._chance.uniform(0.005, 0.02), self._chance.random()]], self._id()
        answer = await self._http.ask(self._seldon_request("limited", rows, puid))
        if answer.status == 503 and b"retry-after" not in answer.headers and b"wait already" in answer.body:
            raise Wrong("a request too many got no Retry-After")
        return self._judge(answer, "seldon", lambda: _check_seldon(answer, puid, rows))

    async def gathered(self) -> str:
        """Rows that are predicted with those of others."""
        rows, puid = self._rows(self._chance.randint(1, 3)), self._id()
        answer = await self._http.ask(self._seldon_request("gathered", rows, puid))
        return self._judge(answer, "seldon", lambda: _check_seldon(answer, puid, self._scene.probabilities(rows)))

    async def too_slow(self) -> str:
        """A unit that takes longer than the route allows, and sometimes not."""
        nap_s = self._chance.choice((0.01, 0.05, 0.9))
        rows, puid = [[nap_s, self._chance.random()]], self._id()
        answer = await self._http.ask(self._seldon_request("slow", rows, puid))
        if answer.status == 200 and nap_s > 0.8:
            raise Wrong(f"{nap_s} s of work were answered within a limit of 0.5 s")
        return self._judge(answer, "seldon", lambda: _check_seldon(answer, puid, rows))

    async def v2(self) -> str:
        """The Open Inference Protocol in JSON."""
        rows, id = self._rows(self._chance.randint(1, 6)), self._id()
        tensor = {"name": "x", "shape": [len(rows), 4], "datatype": "FP64", "data": rows}
        body = {"id": id, "inputs": [tensor], "outputs": [{"name": "predict_proba"}]}
        answer = await self._http.ask(post(_V2, orjson.dumps(body), *self._noise()))
        return self._judge(answer, "v2", lambda: _check_v2(answer, id, self._scene.probabilities(rows)))

    async def v2_binary(self) -> str:
        """The same with tensors as they are in memory."""
        rows, id = np.array(self._rows(self._chance.randint(16, 2000))), self._id()
        raw = rows.astype("<f8").tobytes()
        tensor: dict[str, Any] = {"name": "x", "shape": list(rows.shape), "datatype": "FP64"}
        tensor["parameters"] = {"binary_data_size": len(raw)}
        output = {"name": "predict_proba", "parameters": {"binary_data": True}}
        head = orjson.dumps({"id": id, "inputs": [tensor], "outputs": [output]})
        length = b"Inference-Header-Content-Length: %d" % len(head)
        binary = b"application/octet-stream"
        answer = await self._http.ask(post(_V2, head + raw, length, content_type=binary))

        def check() -> None:
            size = int(answer.headers[b"inference-header-content-length"])
            said = orjson.loads(answer.body[:size])
            values = np.frombuffer(answer.body[size:], "<f8").reshape(said["outputs"][0]["shape"])
            _compare(values, self._scene.probabilities(rows), said["id"], id)

        return self._judge(answer, "v2", check)

    async def tensorflow(self) -> str:
        """TensorFlow Serving's protocol."""
        rows = [[float(self._chance.randint(0, 1 << 20)) for _ in range(2)] for _ in range(3)]
        answer = await self._http.ask(post(_TF, orjson.dumps({"instances": rows}), *self._noise()))
        return self._judge(
            answer, "tensorflow", lambda: _compare(np.array(answer.json()["predictions"]), np.array(rows) * 2, "", "")
        )

    def _seldon_request(self, name: str, rows: Any, puid: str, as_tensor: bool = False) -> bytes:
        data: dict[str, Any] = {"ndarray": rows}
        if as_tensor:
            data = {"tensor": {"shape": [len(rows), len(rows[0])], "values": [value for row in rows for value in row]}}
        return post(_path(name), orjson.dumps({"data": data, "meta": {"puid": puid}}), *self._noise())

    def _noise(self) -> tuple[bytes, ...]:
        """Headers that no other request has, on some of them: nothing may be kept for each."""
        if self._chance.random() < 0.5:
            return ()
        return (b"X-Request-Id: " + self._id().encode(), b"User-Agent: soak/" + self._id().encode())

    def _rows(self, count: int) -> list[list[float]]:
        return [[round(self._chance.uniform(0.1, 8), 6) for _ in range(4)] for _ in range(count)]

    def _id(self) -> str:
        return f"{self._chance.getrandbits(96):024x}"

    def _judge(self, answer: Answer, protocol: str, check: Callable[[], None]) -> str:
        if answer.status == 200:
            try:
                check()
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise Wrong(f"{type(error).__name__} {error} in {answer.body[:300]!r}") from error
            return "right"
        if answer.status in REFUSALS:
            return refusal_of(protocol, answer.status, answer.body)
        raise Wrong(f"a good request got {answer.status}: {answer.body[:300]!r}")


_V2 = "/seldon/default/oip/v2/models/flowers/infer"
_TF = "/seldon/default/tf/v1/models/twice:predict"


def through_graph(rows: Any) -> Any:
    """What the graph of five units answers."""
    shifted = np.asarray(rows) + 1
    return np.concatenate([shifted * 2, shifted * 3, shifted * 5], axis=1)


def _path(name: str) -> str:
    return f"/seldon/default/{name}/api/v1.0/predictions"


def _check_seldon(answer: Answer, puid: str, expected: Any) -> None:
    said = answer.json()
    data = said["data"]
    values = np.array(data["ndarray"]) if "ndarray" in data else np.array(data["tensor"]["values"])
    _compare(values.reshape(-1), np.asarray(expected).reshape(-1), said["meta"]["puid"], puid)


def _check_v2(answer: Answer, id: str, expected: Any) -> None:
    said = answer.json()
    (output,) = said["outputs"]
    _compare(np.array(output["data"]).reshape(output["shape"]), expected, said["id"], id)


def _compare(values: Any, expected: Any, id: str, asked_id: str) -> None:
    if id != asked_id:
        raise Wrong(f"the answer of {id} came for {asked_id}")
    if values.shape != expected.shape or not np.allclose(values, expected, rtol=1e-6, atol=1e-9):
        raise Wrong(f"{asked_id}: got {values.tolist()!r:.200}, expected {expected.tolist()!r:.200}")
