"""The Kubernetes-shaped API on a real port, over a real store, for tests."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvicorn

from fairlead.control.api.admitting import Admission, admit_all
from fairlead.control.api.app import build_app
from fairlead.control.api.guard import Identify
from fairlead.control.api.kinds import SchemaOf
from fairlead.control.api.pod_logs import LogQuery, PodSource
from fairlead.control.store import Store
from fairlead.dialects.base import ALONE, Column, Kind, World

SDEP = Kind(
    group="machinelearning.seldon.io",
    versions=("v1", "v1alpha2", "v1alpha3"),
    kind="SeldonDeployment",
    plural="seldondeployments",
    singular="seldondeployment",
    short_names=("sdep",),
    categories=("all",),
    scale_path=".spec.replicas",
    scale_status_path=".status.replicas",
    columns=(
        Column(name="State", type="string", path=".status.state"),
        Column(name="Replicas", type="integer", path=".status.replicas"),
        Column(name="Address", type="string", path=".status.address.url", priority=1),
    ),
)

_TEXT = {"type": "string"}
_PREDICTOR = {
    "type": "object",
    "required": ["graph"],
    "properties": {
        "name": _TEXT,
        "replicas": {"type": "integer", "format": "int32"},
        "traffic": {"type": "integer", "format": "int32"},
        "labels": {"type": "object", "additionalProperties": _TEXT},
        "graph": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "componentSpecs": {
            "type": "array",
            "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    },
}


def sdep_schema(_kind: Kind) -> dict[str, Any]:
    """Enough of a SeldonDeployment's schema to show what the API does with one."""
    return {
        "description": "A SeldonDeployment for tests.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "description": "What to run.",
                "type": "object",
                "required": ["predictors"],
                "properties": {
                    "name": _TEXT,
                    "protocol": {"type": "string", "enum": ["seldon", "tensorflow", "v2"]},
                    "replicas": {"type": "integer", "format": "int32", "description": "How many."},
                    "annotations": {"type": "object", "additionalProperties": _TEXT},
                    "predictors": {"type": "array", "items": _PREDICTOR},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }


def sdep(name: str, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A small SeldonDeployment."""
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://models/iris"}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"predictors": [{"name": "default", "graph": graph}], **spec},
    }


class ListedLogs:
    """A `PodSource` with logs in memory, that remembers what it was asked."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str], list[str]] = {}
        self.asked: list[LogQuery] = []
        self.more = asyncio.Event()

    async def log(self, namespace: str, name: str, query: LogQuery) -> AsyncGenerator[bytes, None]:
        self.asked.append(query)
        return self._read(self.lines[(namespace, name)], query)

    async def _read(self, lines: list[str], query: LogQuery) -> AsyncGenerator[bytes, None]:
        first = 0 if query.tail_lines is None else max(0, len(lines) - query.tail_lines)
        position = first
        while True:
            for line in lines[position:]:
                yield f"{line}\n".encode()
            position = len(lines)
            if not query.follow:
                return
            await self.more.wait()
            self.more.clear()


@dataclass
class ApiServer:
    """A running server and a client for it."""

    url: str
    store: Store
    http: aiohttp.ClientSession
    server: uvicorn.Server

    async def call(
        self, method: str, path: str, body: Any = None, *, type_: str = "application/json", **params: str
    ) -> tuple[int, Any]:
        """Status code and decoded body of one request."""
        headers = {"content-type": type_} if body is not None else {}
        text = body.encode() if isinstance(body, str) else orjson.dumps(body)
        data = BytesIO(text) if body is not None else None
        async with self.http.request(method, self.url + path, data=data, headers=headers, params=params) as response:
            return response.status, await response.json(content_type=None)


@asynccontextmanager
async def serving(
    home: Path,
    *,
    admission: Admission = admit_all,
    pods: PodSource | None = None,
    token: str | None = None,
    identify: Identify | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    kinds: Sequence[Kind] = (SDEP,),
    schema_of: SchemaOf = sdep_schema,
    world: World = ALONE,
) -> AsyncIterator[ApiServer]:
    """Serve until the block ends, then stop without waiting for watchers."""
    store = await Store.open(home / "state.db", clock=clock)
    app = build_app(
        store,
        kinds,
        schema_of,
        admission=admission,
        world=world,
        pods=pods,
        token=token,
        identify=identify,
        clock=clock,
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    serve = asyncio.create_task(server._serve([listener]))
    try:
        async with aiohttp.ClientSession() as http:
            yield ApiServer(f"http://127.0.0.1:{listener.getsockname()[1]}", store, http, server)
    finally:
        store.end_watches()
        server.should_exit = True
        await serve
        await store.close()
        listener.close()
