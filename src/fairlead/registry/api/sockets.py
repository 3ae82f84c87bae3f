"""What clients listen to while something happens: pods, logs and events of deployments, and changes of resources.

Messages are those of Yatai: `{"type": "success" | "error", "message", "payload"}` from here, `{"type": "data" |
"heartbeat", "payload"}` from there. What is sent when somebody listens is the whole, and again when it has changed.
Shells are refused: on one machine a replica has none but its owner's.
"""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from fairlead.errors import BadRequest, FairleadError, Forbidden
from fairlead.registry.accounts.foreign import is_from_foreign_page
from fairlead.registry.api.listening import Listening
from fairlead.registry.callers import Authenticator, Caller, Verb
from fairlead.registry.deploying.place import LogPart
from fairlead.registry.service import Registry

Handler = Callable[[WebSocket, Caller], Awaitable[None]]
V1_ONE = "/ws/v1/clusters/{cluster}/namespaces/{namespace}/deployments/{deployment}"
V1_CLUSTER = "/ws/v1/clusters/{cluster}"
_BASE64_SINCE = (1, 2, 0)
_MOST_LINES = 200
# Lines that come together travel together.
_GATHERED_S = 0.05
_POLICY_VIOLATION = 1008


class Sockets:
    """Over one registry."""

    def __init__(self, registry: Registry, authenticator: Authenticator) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._listening = Listening(registry)

    def routes(self) -> list[WebSocketRoute]:
        """Every path below `/ws`."""
        handlers: dict[str, Handler] = {
            f"{V1_ONE}/pods": self._pods,
            f"{V1_CLUSTER}/pods": self._cluster_pods,
            "/ws/v2/deployments/{deployment}/pods": self._pods,
            f"{V1_ONE}/kube_events": self._events,
            f"{V1_CLUSTER}/kube_events": self._cluster_events,
            f"{V1_ONE}/tail": self._tail,
            f"{V1_CLUSTER}/tail": self._tail,
            f"{V1_ONE}/terminal": self._no_terminal,
            f"{V1_CLUSTER}/terminal": self._no_terminal,
            "/ws/v1/subscription/resource": self._subscription,
        }
        return [WebSocketRoute(path, self._endpoint(handler)) for path, handler in handlers.items()]

    def _endpoint(self, handler: Handler) -> Callable[[WebSocket], Awaitable[None]]:
        async def endpoint(socket: WebSocket) -> None:
            try:
                caller = await self._identify(socket)
            except FairleadError as error:
                await socket.send_denial_response(JSONResponse({"message": str(error)}, status_code=error.http))
                return
            await socket.accept()
            with suppress(WebSocketDisconnect):
                try:
                    await handler(socket, caller)
                    await socket.close()
                except FairleadError as error:
                    await _send(socket, None, kind="error", message=str(error))
                    await socket.close(_POLICY_VIOLATION)

        return endpoint

    async def _identify(self, socket: WebSocket) -> Caller:
        if is_from_foreign_page(socket.headers):
            raise Forbidden("pages of other sites may not listen here")
        address = socket.client.host if socket.client else ""
        return await self._authenticator.identify(socket.headers, socket.cookies, socket.query_params, address)

    async def _pods(self, socket: WebSocket, caller: Caller) -> None:
        """Pods of one deployment, and of the builder of its bento."""
        cluster = socket.path_params.get("cluster") or socket.query_params.get("cluster", "")
        namespace, name = socket.path_params.get("namespace"), socket.path_params["deployment"]
        await _tell_changes(socket, self._listening.pods_of(caller, cluster, namespace, name))

    async def _cluster_pods(self, socket: WebSocket, caller: Caller) -> None:
        """Pods that labels select."""
        namespace, selector = _query(socket, "namespace"), _query(socket, "selector")
        await _tell_changes(
            socket, self._listening.selected_pods(caller, socket.path_params["cluster"], namespace, selector)
        )

    async def _events(self, socket: WebSocket, caller: Caller) -> None:
        params = socket.path_params
        told = self._listening.events_of(
            caller, params["cluster"], params["namespace"], params["deployment"], _query(socket, "pod_name")
        )
        await _tell_changes(socket, told)

    async def _cluster_events(self, socket: WebSocket, caller: Caller) -> None:
        told = self._listening.events_in(
            caller, socket.path_params["cluster"], _query(socket, "namespace"), _query(socket, "pod_name")
        )
        await _tell_changes(socket, told)

    async def _tail(self, socket: WebSocket, caller: Caller) -> None:
        """A pod's log, as the client's last message asks for it; another message begins anew."""
        params = socket.path_params
        namespace = params.get("namespace") or _query(socket, "namespace")
        place = await self._listening.place(caller, params["cluster"], namespace)
        pod = _query(socket, "pod_name")
        if "deployment" in params:
            caller.require(Verb.VIEW, "deployment", params["deployment"], cluster=params["cluster"])
        is_coded = caller.client_version is not None and caller.client_version >= _BASE64_SINCE
        has_times = _query(socket, "timestamps") == "true"

        async def tell(asked: dict[str, Any]) -> None:
            part = _part(asked, container=_query(socket, "container_name"), has_times=has_times)
            lines = await place.log(namespace, pod, part)
            await _tell_lines(socket, lines, str(asked.get("id") or ""), is_coded=is_coded)

        await _answering(socket, tell)

    async def _no_terminal(self, _socket: WebSocket, _caller: Caller) -> None:
        raise Forbidden("shells in replicas are not given here; logs and events are")

    async def _subscription(self, socket: WebSocket, caller: Caller) -> None:
        """Resources whenever they have changed, of those that the client has asked for so far."""
        subscription = self._listening.subscription(caller)

        async def take(asked: dict[str, Any]) -> None:
            subscription.take(asked)

        telling = asyncio.create_task(_tell_each(socket, subscription.changes()))
        try:
            await _answering(socket, take, ends=telling)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)


def _query(socket: WebSocket, name: str) -> str:
    return str(socket.query_params.get(name, ""))


def _part(asked: dict[str, Any], *, container: str, has_times: bool) -> LogPart:
    lines = asked.get("tail_lines")
    return LogPart(
        container=str(asked.get("container_name") or container),
        follows=bool(asked.get("follow", True)),
        tail_lines=lines if isinstance(lines, int) and lines >= 0 else None,
        has_times=has_times,
    )


async def _send(socket: WebSocket, payload: Any, *, kind: str = "success", message: str = "") -> None:
    await socket.send_json({"type": kind, "message": message, "payload": payload})


async def _tell_changes(socket: WebSocket, told: AsyncGenerator[Any, None]) -> None:
    """Everything that is told, until the client goes."""

    async def tell() -> None:
        async for payload in told:
            await _send(socket, payload)

    telling = asyncio.create_task(tell())
    try:
        await _answering(socket, _nothing, ends=telling)
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        await told.aclose()


async def _tell_each(socket: WebSocket, told: AsyncIterator[Any]) -> None:
    async for payload in told:
        await _send(socket, payload)


async def _nothing(_asked: dict[str, Any]) -> None:
    return


async def _answering(
    socket: WebSocket, answer: Callable[[dict[str, Any]], Awaitable[None]], *, ends: "asyncio.Task[None] | None" = None
) -> None:
    """Read the client's messages until it goes, and answer the newest; an answer to an older one ends. Ends with `ends`
    too, or when an answer is whole. Raises what it or an answer raises."""
    answering: asyncio.Task[None] | None = None
    reading = asyncio.create_task(_message(socket))
    try:
        while True:
            waited = {task for task in (reading, answering, ends) if task is not None}
            done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {reading}:
                task.result()
                if task is ends or ends is None:
                    return
                answering = None
            if reading in done:
                asked = reading.result()
                if asked is not None:
                    await _stop(answering)
                    answering = asyncio.create_task(_run(answer, asked))
                reading = asyncio.create_task(_message(socket))
    finally:
        await _stop(answering)
        await _stop(reading)


async def _run(answer: Callable[[dict[str, Any]], Awaitable[None]], asked: dict[str, Any]) -> None:
    await answer(asked)


async def _stop(task: "asyncio.Task[Any] | None") -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _message(socket: WebSocket) -> dict[str, Any] | None:
    """The payload of the client's next message; nothing for a heartbeat."""
    text = await socket.receive_text()
    try:
        message = json.loads(text)
    except ValueError as error:
        raise BadRequest("a message must be JSON") from error
    if not isinstance(message, dict):
        raise BadRequest("a message must be a JSON object")
    payload = message.get("payload")
    return payload if message.get("type") != "heartbeat" and isinstance(payload, dict) else None


async def _tell_lines(
    socket: WebSocket, lines: AsyncGenerator[bytes, None], request_id: str, *, is_coded: bool
) -> None:
    """A log: what is there first, in place of what was; then what comes."""
    kind = "replace"
    try:
        async for some in _gathered(lines):
            items = [_item(line, is_coded=is_coded) for line in some]
            await _send(socket, {"req_id": request_id, "type": kind, "items": items})
            kind = "append"
    finally:
        await lines.aclose()
    await _send(socket, None, message="EOF")


def _item(line: bytes, *, is_coded: bool) -> str:
    """Terminals print what they decode as it is; pages have a row for each line."""
    if is_coded:
        return base64.b64encode(line).decode()
    return line.decode(errors="replace").removesuffix("\n")


async def _gathered(lines: AsyncGenerator[bytes, None]) -> AsyncIterator[Sequence[bytes]]:
    """Lines that come within a moment of each other, as one."""
    some: list[bytes] = []
    coming: asyncio.Task[bytes] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(lines))
            await asyncio.wait([coming], timeout=_GATHERED_S if some else None)
            if not coming.done() or len(some) >= _MOST_LINES:
                yield some
                some = []
                continue
            try:
                some.append(coming.result())
            except StopAsyncIteration:
                break
            finally:
                coming = None
        if some:
            yield some
    finally:
        await _stop(coming)
