"""A replica's limit: what starts, what waits, what is refused, and who gives a place back."""

from collections.abc import Callable

from fairlead.dataplane.surfaces.limiting import Limiter
from fairlead.dataplane.surfaces.seldon.surface import refusal
from fairlead.plan.model import Limits
from fairlead.protocols.exchange import Reply, Request, Response, ServerReply

OK = Response(200, b"", b"ok")


class Held:
    """A handler that answers when it is told to."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def __call__(self, request: Request, reply: Reply) -> None:
        if request.method == "GET":
            reply(OK)
        else:
            self.replies.append(reply)


class Client(ServerReply):
    """A server's reply that remembers its answer."""

    def __init__(self) -> None:
        self.answer: Response | None = None
        self.has_left = False
        self.on_gone: Callable[[], None] | None = None

    def __call__(self, response: Response) -> None:
        self.answer = response

    @property
    def is_wanted(self) -> bool:
        return not self.has_left

    def leave(self) -> None:
        self.has_left = True
        if self.on_gone is not None:
            self.on_gone()


def ask(limiter: Limiter, method: str = "POST") -> Client:
    client = Client()
    limiter(Request(method, "/", b"", [], b""), client)
    return client


def test_what_is_over_the_limit_waits_and_what_is_over_the_queue_is_told_when_to_come_back() -> None:
    held = Held()
    limiter = Limiter(held, Limits(concurrency=1, waiting=1), refusal)

    first, second, third = ask(limiter), ask(limiter), ask(limiter)

    assert len(held.replies) == 1
    assert third.answer is not None
    assert third.answer.status == 503
    assert b"Retry-After: 1\r\n" in third.answer.headers
    held.replies[0](OK)
    assert first.answer == OK
    assert second.answer is None
    held.replies[1](OK)
    assert second.answer == OK


def test_probes_are_never_held_up() -> None:
    limiter = Limiter(Held(), Limits(concurrency=1, waiting=0), refusal)
    ask(limiter)

    assert ask(limiter, "GET").answer == OK


def test_grpc_calls_are_refused_with_a_code_and_health_is_not_held_up() -> None:
    limiter = Limiter(Held(), Limits(concurrency=1, waiting=0), refusal)
    ask(limiter)

    call, health = Client(), Client()
    kind = [(b"content-type", b"application/grpc")]
    limiter(Request("POST", "/inference.GRPCInferenceService/ModelInfer", b"", kind, b""), call)
    limiter(Request("POST", "/grpc.health.v1.Health/Check", b"", kind, b""), health)

    assert call.answer is not None
    assert b"grpc-status: 8\r\n" in call.answer.headers.lower()
    assert health.answer is None


def test_a_client_that_leaves_gives_its_place_to_the_next() -> None:
    held = Held()
    limiter = Limiter(held, Limits(concurrency=1, waiting=5), refusal)
    first, gone, last = ask(limiter), ask(limiter), ask(limiter)

    gone.leave()
    first.leave()

    assert len(held.replies) == 2
    held.replies[1](OK)
    assert last.answer == OK
    assert gone.answer is None


def test_a_late_answer_gives_no_second_place() -> None:
    held = Held()
    limiter = Limiter(held, Limits(concurrency=1, waiting=5), refusal)
    first = ask(limiter)
    first.leave()
    held.replies[0](OK)
    ask(limiter)
    ask(limiter)

    assert len(held.replies) == 2
