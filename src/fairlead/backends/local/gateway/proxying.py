"""The handler of the data port: every request passes through here on its way to a worker or to our own pages.

What a head leads to is worked out once per epoch and kept with the head, so a request that repeats one costs a
comparison, a turn of the splitter and a frame.
"""

import asyncio

from fairlead.backends.local.gateway.calls import Calls
from fairlead.backends.local.gateway.doors import Doors
from fairlead.backends.local.gateway.finding import Forward, View
from fairlead.backends.local.gateway.grpc_passage import GrpcPassage
from fairlead.backends.local.gateway.listing import Page, Pages
from fairlead.backends.local.gateway.metering import Meters
from fairlead.backends.local.gateway.mirroring import send_copy
from fairlead.backends.local.gateway.passage import Passage
from fairlead.backends.local.gateway.refusals import refusal, refusal_of
from fairlead.backends.local.gateway.switchboard import CompiledRoute
from fairlead.backends.local.gateway.trails import Trails
from fairlead.backends.local.gateway.wheel import TimerWheel
from fairlead.errors import GrpcCode
from fairlead.protocols.exchange import Head, Incoming, Reply, Request, Response, ServerReply
from fairlead.protocols.grpc import failure_of, grpc_failure


class Proxy:
    """A `ServerHandler` for those who come from one side. Without `doors` nobody is asked who they are."""

    def __init__(
        self, view: View, meters: Meters, pages: Pages, wheel: TimerWheel, trails: Trails, doors: Doors | None = None
    ) -> None:
        self._doors = doors
        self._trails = trails
        self._view = view
        self._meters = meters
        self._pages = pages
        self._wheel = wheel
        self._clock = asyncio.get_running_loop().time
        self.calls = Calls(view, meters, self._forward_call)

    def __call__(self, request: Request, reply: ServerReply) -> None:
        """Forward it, or answer it here."""
        head = request.head
        if head is None:
            head = Head(request.method, request.path, request.query, request.headers)
        forward: Forward | None = head.note
        if forward is None or forward.epoch is not self._view.epoch:
            page = self._pages.find(head)
            forward = None if page is not None else self._view.find(head)
            head.note = forward
            if forward is None:
                self._answer_here(page, head, request, reply)
                return
        if forward.is_grpc:
            self.calls.take(forward, request, reply)
        else:
            self._forward(forward, request, reply)

    def _answer_here(self, page: Page | None, head: Head, request: Request, reply: Reply) -> None:
        if page is None:
            self._meters.unrouted += 1
            self._trails.unrouted(request, 404)
            page = self._pages.unknown
        page(head, reply)

    def _forward(self, forward: Forward, request: Request, reply: ServerReply) -> None:
        route = forward.route
        assert route is not None
        if route.is_guarded and self._doors is not None:
            refused = self._doors.refusal(route, forward, request)
            if refused is not None:
                self._trails.unrouted(request, refused.http)
                reply(refusal_of(route.protocol, refused))
                return
        turn = route.splitter.next()
        if turn is None:
            reply(_nobody(route))
            return
        target = route.targets[turn]
        wanted = route.route
        trail = None
        if self._trails.is_on or forward.request_id:
            trail = self._trails.begin(request, forward, route, target.key)
        passage = Passage(
            reply,
            forward.head if trail is None else trail.head,
            request.body,
            pool=target.pool,
            meter=target.meter,
            wheel=self._wheel,
            clock=self._clock,
            timeout_s=wanted.timeout_s,
            retries=wanted.retries,
            incoming=request.incoming,
            trail=trail,
        )
        reply.on_gone = passage.client_gone
        passage.submit()
        for mirror, sampler in route.mirrors:
            if request.incoming is None and sampler.take():
                send_copy(forward.head, request.body, pool=mirror.pool, meter=mirror.meter, wheel=self._wheel)

    def _forward_call(
        self, forward: Forward, route: CompiledRoute, request: Request, reply: ServerReply, incoming: Incoming | None
    ) -> None:
        if route.is_guarded and self._doors is not None:
            refused = self._doors.refusal(route, forward, request)
            if refused is not None:
                self._trails.unrouted(request, refused.http)
                reply(failure_of(refused))
                return
        turn = route.splitter.next()
        if turn is None:
            reply(grpc_failure(GrpcCode.UNAVAILABLE, _why_nobody(route)))
            return
        target = route.targets[turn]
        wanted = route.route
        own_s = wanted.timeout_s if wanted.metadata else wanted.grpc_timeout_s
        trail = None
        if self._trails.is_on or forward.request_id:
            trail = self._trails.begin(request, forward, route, target.key)
        head = forward.head if trail is None else trail.head
        limits = [limit_s for limit_s in (own_s, forward.timeout_s) if limit_s is not None]
        call = GrpcPassage(
            reply,
            head,
            request.body,
            pool=target.pool,
            meter=target.meter,
            wheel=self._wheel,
            clock=self._clock,
            timeout_s=min(limits, default=None),
            retries=wanted.retries,
            incoming=incoming,
            trail=trail,
        )
        call.bare = head
        reply.on_gone = call.client_gone
        call.submit()
        for mirror, sampler in route.mirrors if incoming is None else ():
            if sampler.take():
                send_copy(forward.head, request.body, pool=mirror.pool, meter=mirror.meter, wheel=self._wheel)


def _nobody(route: CompiledRoute) -> Response:
    return refusal(route.protocol, 503, _why_nobody(route))


def _why_nobody(route: CompiledRoute) -> str:
    service = route.service
    return f"{service.namespace}/{service.name}: no target of this route has a weight above zero"
