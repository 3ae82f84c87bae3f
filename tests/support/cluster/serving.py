"""The HTTP rim: from bytes to calls and back, on a free port of the loopback."""

import asyncio
from contextlib import suppress
from typing import Any

import orjson
from aiohttp import web

from fairlead.control.api import openapi_proto
from fairlead.control.api.openapi import PROTO_V2
from support.cluster import discovery
from support.cluster.access import Access, Reviews
from support.cluster.calls import Call, address
from support.cluster.deleting import Deleting
from support.cluster.faults import Fault, Faults, refusal
from support.cluster.journal import Entry, Journal
from support.cluster.pod_logs import PodLogs
from support.cluster.reading import Reading
from support.cluster.refusals import Refusal, method_not_allowed, no_such_place, qualified
from support.cluster.scaling import Scaling
from support.cluster.state import State
from support.cluster.watching import Cut, Watches
from support.cluster.writing import Writing, Written

Document = dict[str, Any]
_MAX_BODY_BYTES = 3 * 1024 * 1024


class ApiServer:
    """Answers requests about one cluster."""

    def __init__(self, state: State, release: str) -> None:
        self.state = state
        self.release = release
        self.journal = Journal()
        self.faults = Faults()
        self.watches = Watches(state)
        self.access = Access(state)
        self._reviews = Reviews(self.access)
        self.reading = Reading(state)
        self.writing = Writing(state)
        self.deleting = Deleting(state)
        self._scaling = Scaling(state, self.writing)
        self.logs = PodLogs(state)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any request."""
        try:
            user, groups = self.access.who(request.headers.get("Authorization", ""))
            about = self._about(request)
            if about is not None:
                return about
            review = await self._reviews.answer(request, user, groups)
            if review is not None:
                return _json(review, 201)
            call = await self._call(request, user, groups)
            return await self._answer(request, call)
        except Refusal as found:
            return _refused(found)

    async def _call(self, request: web.BaseRequest, user: str, groups: tuple[str, ...]) -> Call:
        place = address(self.state.kinds, request.path)
        body = await request.read()
        return Call(
            method=request.method,
            params=dict(request.query),
            content_type=request.headers.get("Content-Type", "application/json"),
            accept=request.headers.get("Accept", ""),
            user_agent=request.headers.get("User-Agent", ""),
            user=user,
            groups=groups,
            body=body,
            **place,
        )

    async def _answer(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        code = 0
        try:
            self.access.check(call)
            fault = self.faults.pick(call)
            if fault is not None:
                await self._disturb(request, call, fault)
            if call.verb == "watch":
                code = 200
                return await self._watch(request, call)
            if call.resource.kind == "Pod" and call.subresource == "log":
                log = self.logs.find(call)
                code = 200
                return await self.logs.send(request, call, log)
            body, code, warnings = await self.perform(call)
            if fault is Fault.LOST_ANSWER:
                code = 0
                _break(request)
            if fault is Fault.LOST_ANSWER_500 and (found := refusal(fault, call)):
                raise found
            return _json(body, code, warnings)
        except Refusal as found:
            code = found.code
            raise
        finally:
            self._note(call, code)

    async def _disturb(self, request: web.BaseRequest, call: Call, fault: Fault) -> None:
        if fault is Fault.RESET:
            _break(request)
        if fault is Fault.SLOW:
            await self.faults.let_go.wait()
        found = refusal(fault, call, self.faults.retry_after_s)
        if found is not None and fault is not Fault.LOST_ANSWER_500:
            raise found

    def _note(self, call: Call, code: int) -> None:
        self.journal.note(
            Entry(
                verb=call.verb,
                resource=qualified(call.resource.group, call.resource.plural),
                namespace=call.namespace,
                name=call.name,
                subresource=call.subresource,
                code=code,
                user=call.user,
                agent=call.user_agent,
            )
        )

    async def perform(self, call: Call) -> tuple[Document, int, list[str]]:
        """What a call does, and its answer."""
        if call.subresource == "scale" and call.resource.scale:
            return await self._scaling.perform(call)
        if call.subresource and not (call.subresource == "status" and call.resource.has_status):
            raise no_such_place()
        if call.verb == "get":
            return self.reading.get(call), 200, []
        if call.verb == "list":
            return self.reading.many(call), 200, []
        if call.verb == "delete" and not call.subresource:
            return await self.deleting.one(call), 200, []
        if call.verb == "deletecollection":
            return await self.deleting.many(call), 200, []
        written = await self._write(call)
        return self.reading.shown(call, written.document), written.code, written.warnings

    async def _write(self, call: Call) -> Written:
        if call.verb == "create" and not call.name:
            return await self.writing.create(call)
        if call.verb == "update" and call.name:
            return await self.writing.update(call)
        if call.verb in ("patch", "apply") and call.name:
            return await self.writing.patch(call)
        raise method_not_allowed()

    async def _watch(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        watch = self.watches.start(call)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        timeout_s = call.number("timeoutSeconds") or None
        try:
            await response.prepare(request)
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    async for lines in watch.lines():
                        await response.write(lines)
            await response.write_eof()
        except Cut:
            _break(request)
        except ConnectionError:
            pass
        finally:
            self.watches.stop(watch)
        return response

    def _about(self, request: web.BaseRequest) -> web.Response | None:
        """What is no resource: health, version, discovery, OpenAPI."""
        path = request.path.rstrip("/")
        kinds = self.state.kinds
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        if path == "/version":
            return _json(self._version())
        parts = path.split("/")[1:]
        if path in ("/api", "/apis"):
            return self._groups(request, path)
        if parts[0] == "openapi":
            return self._openapi(request, parts[1:])
        if len(parts) == 2 and parts[0] == "apis":
            return _found(discovery.group(kinds, parts[1]))
        if len(parts) == 2 and parts[0] == "api":
            return _found(discovery.resource_list(kinds, "", parts[1]))
        if len(parts) == 3 and parts[0] == "apis":
            return _found(discovery.resource_list(kinds, parts[1], parts[2]))
        return None

    def _groups(self, request: web.BaseRequest, path: str) -> web.Response:
        accept = request.headers.get("Accept", "")
        is_core = path == "/api"
        for version in ("v2", "v2beta1"):
            if f"v={version};as=APIGroupDiscoveryList" in accept.replace(" ", ""):
                media = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
                body = orjson.dumps(discovery.aggregated(self.state.kinds, version, core=is_core))
                return web.Response(body=body, headers={"Content-Type": media})
        return _json(discovery.core_versions(request.host) if is_core else discovery.group_list(self.state.kinds))

    def _openapi(self, request: web.BaseRequest, parts: list[str]) -> web.Response:
        kinds = self.state.kinds
        if parts[:1] == ["v2"]:
            document = discovery.openapi(kinds, "", is_v2=True)
            if "protobuf" in request.headers.get("Accept", ""):
                return web.Response(body=openapi_proto.encode(document), headers={"Content-Type": PROTO_V2})
            return _json(document)
        return _json(discovery.openapi(kinds, "/".join(parts[1:])) if parts[1:] else discovery.openapi_index(kinds))

    def _version(self) -> Document:
        major, minor = self.release.split(".")
        return {"major": major, "minor": minor, "gitVersion": f"v{self.release}.0", "platform": "linux/amd64"}


def _json(body: Any, code: int = 200, warnings: list[str] | None = None) -> web.Response:
    response = web.Response(body=orjson.dumps(body), status=code, headers={"Content-Type": "application/json"})
    for text in warnings or ():
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    return response


def _found(body: Document | None) -> web.Response:
    if body is None:
        raise no_such_place()
    return _json(body)


def _refused(found: Refusal) -> web.Response:
    response = _json(found.status(), found.code)
    if found.retry_after_s is not None:
        response.headers["Retry-After"] = str(found.retry_after_s)
    return response


def _break(request: web.BaseRequest) -> None:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("a fault that the test asked for")
