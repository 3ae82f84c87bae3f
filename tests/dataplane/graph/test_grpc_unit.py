"""Units behind an address that speak gRPC, with workers of ours as peers behind real ports."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from bench.ports import free_ports

from fairlead.dataplane.graph.driving import as_future
from fairlead.dataplane.graph.parcel import Parcel, Stopped, Walk
from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.spec import Placement, TcpSocket, WorkerSpec
from fairlead.errors import GrpcCode
from fairlead.plan.model import Branch, Chain, Feedback, Method, Protocol, Unit, UnitName
from fairlead.protocols.exchange import Reply, Request
from fairlead.protocols.grpc import grpc_failure
from fairlead.protocols.message import Form, Message, Payload
from fairlead.runtimes.component import Component
from support.grpc_calls import Caller, Failed, calling
from support.serving import Fake, call, served, unit, worker_spec

pytestmark = pytest.mark.anyio

MESSAGE = "seldon.protos.SeldonMessage"
PREDICT = "/seldon.protos.Seldon/Predict"
TENSOR = {"data": {"tensor": {"shape": [1, 2], "values": [1, 2]}}}
INFER = "/inference.GRPCInferenceService/ModelInfer"
ROWS = {"name": "x", "datatype": "FP32", "shape": [1, 2]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Peer:
    """A unit of its own behind a port, which remembers the requests it got."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[Request] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def peer(servable: Any, *, protocol: Protocol = Protocol.SELDON, name: str = "m") -> AsyncIterator[Peer]:
    over = served(worker_spec([unit(name)], call(name), protocol=protocol, single_unit=True), **{name: servable})
    found = Peer(0)

    def remember(request: Request, reply: Reply) -> None:
        found.asked.append(request)
        over.handler(request, reply)

    server = HttpServer(remember)
    found.port = await server.listen(TcpSocket("127.0.0.1", 0))
    try:
        yield found
    finally:
        await server.drain(0)
        over.executor.close()


def away(name: str, **fields: Any) -> Unit:
    return Unit(name=UnitName(name), runtime="command", **({"http_port": 9000, "grpc_port": 9500} | fields))


def graph(units: list[Unit], root: Any, *placements: Placement, **fields: Any) -> WorkerSpec:
    return worker_spec(units, root, placements=list(placements), **fields)


def at(name: str, *, http: str, grpc: str) -> Placement:
    return Placement(unit=name, address=http, grpc_address=grpc)


class Doubling:
    def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
        return X * 2

    def tags(self) -> Any:
        return {"by": "peer"}


def component(target: object) -> Component:
    return Component(target, unit("m"), env={})


async def test_callers_over_grpc_reach_a_unit_over_grpc_and_others_over_rest() -> None:
    async with peer(component(Doubling())) as over_grpc, peer(component(Doubling())) as over_http:
        spec = graph([away("m")], call("m"), at("m", http=over_http.address, grpc=over_grpc.address))
        async with calling(spec) as ask:
            answer = await ask(
                PREDICT, MESSAGE, MESSAGE, TENSOR, {"seldon-puid": "p", "x-trace": "t", "k-bin": b"\x00"}
            )
            rest = await ask.served.post("/api/v1.0/predictions", {"data": {"ndarray": [[1, 2]]}})
            text = ask.served.meters.render().decode()

    assert list(answer.data.tensor.values) == [2, 4]
    assert answer.meta.tags["by"].string_value == "peer"
    assert dict(answer.meta.routing) == {"m": -1}
    [called] = over_grpc.asked
    assert called.path == "/seldon.protos.Model/Predict"
    assert (called.header(b"seldon-puid"), called.header(b"x-trace"), called.header(b"k-bin")) == (b"p", b"t", b"AA")
    assert rest.status == 200
    assert [one.path for one in over_http.asked] == ["/predict"]
    assert 'service="/seldon.protos.Model/Predict"' in text


async def test_a_graph_of_peers_routes_transforms_combines_and_takes_feedback_over_grpc() -> None:
    class Router:
        def __init__(self) -> None:
            self.rewards: list[float] = []

        def route(self, X: Any, names: Any) -> int:
            return -1

        def send_feedback(self, X: Any, names: Any, reward: float, truth: Any, routing: Any = None) -> None:
            self.rewards.append(reward)

    class Combiner:
        def aggregate(self, Xs: Any, names: Any) -> Any:
            return np.sum(Xs, axis=0)

    class Adding:
        def transform_output(self, X: Any, names: Any) -> Any:
            return X + 100

    router = Router()
    async with (
        peer(component(router)) as r,
        peer(component(Doubling())) as a,
        peer(component(Combiner())) as c,
        peer(component(Adding())) as t,
    ):
        gone = f"127.0.0.1:{free_ports(1)[0]}"
        placements = [at(name, http=gone, grpc=one.address) for name, one in (("r", r), ("a", a), ("c", c), ("t", t))]
        branch = Branch(
            name=UnitName("r"), choices=(call("a"), call("here")), route=UnitName("r"), combine=UnitName("c")
        )
        root = Chain(steps=(branch, call("t", Method.TRANSFORM_OUTPUT)))
        units = [away("r"), away("a"), away("c"), away("t"), unit("here")]
        spec = graph(units, root, *placements, feedback=Feedback(unit=UnitName("r"), accepts=True))
        async with calling(spec, here=Component(Doubling(), unit("here"), env={})) as ask:
            answer = await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)
            await ask(
                "/seldon.protos.Seldon/SendFeedback",
                "seldon.protos.Feedback",
                MESSAGE,
                {"reward": 0.5, "request": TENSOR},
            )

    assert list(answer.data.tensor.values) == [104, 108]
    assert router.rewards == [0.5]
    assert [one.path.rpartition(".")[2] for one in r.asked] == ["Router/Route", "Model/SendFeedback"]
    assert [one.path for one in c.asked] == ["/seldon.protos.Combiner/Aggregate"]
    assert [one.path for one in t.asked] == ["/seldon.protos.OutputTransformer/TransformOutput"]


async def test_a_peers_refusal_passes_with_its_code_and_words() -> None:
    class Raising:
        def predict(self, X: Any, names: Any) -> Any:
            raise ValueError("too hot")

    async with peer(component(Raising())) as one:
        spec = graph([away("m")], call("m"), at("m", http=one.address, grpc=one.address))
        async with calling(spec) as ask:
            with pytest.raises(Failed) as failed:
                await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)

    assert (failed.value.code, failed.value.words) == ("UNKNOWN", "Exception calling application: too hot")
    assert failed.value.trailers["fairlead-unit"] == "m"


async def test_a_unit_whose_grpc_port_nobody_listens_on_is_asked_over_rest() -> None:
    async with peer(component(Doubling())) as one:
        spec = graph([away("m")], call("m"), at("m", http=one.address, grpc=f"127.0.0.1:{free_ports(1)[0]}"))
        async with calling(spec) as ask:
            answer = await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)

    assert list(answer.data.tensor.values) == [2, 4]
    assert [request.path for request in one.asked] == ["/predict"]


async def test_a_unit_without_a_grpc_address_is_asked_over_rest() -> None:
    async with peer(component(Doubling())) as one:
        spec = graph([away("m", grpc_port=0)], call("m"), at("m", http=one.address, grpc=""))
        async with calling(spec) as ask:
            answer = await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)

    assert list(answer.data.tensor.values) == [2, 4]


async def test_a_unit_that_speaks_grpc_alone_serves_callers_over_rest() -> None:
    async with peer(component(Doubling())) as one:
        spec = graph([away("m", http_port=0)], call("m"), at("m", http=one.address, grpc=one.address))
        async with calling(spec) as ask:
            rest = await ask.served.post("/api/v1.0/predictions", {"data": {"ndarray": [[1, 2]]}})
            ready = await ask.served.get("/ready")
            metadata = await ask.served.get("/api/v1.0/metadata/m")

    assert b'"ndarray":[[2.0,4.0]]' in rest.body
    assert ready.status == 200
    assert metadata.status == 200
    assert all(request.header(b"content-type") == b"application/grpc" for request in one.asked)


async def test_a_unit_that_is_gone_is_unavailable_and_not_ready() -> None:
    gone = f"127.0.0.1:{free_ports(1)[0]}"
    async with calling(graph([away("m", http_port=0)], call("m"), at("m", http=gone, grpc=gone))) as ask:
        with pytest.raises(Failed) as failed:
            await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)
        ready = await ask.served.get("/ready")

    assert failed.value.code == "UNAVAILABLE"
    assert "connection refused" in failed.value.words.lower()
    assert ready.status == 503


async def test_a_unit_that_is_slow_runs_into_its_limit() -> None:
    held: list[Any] = []
    server = HttpServer(lambda request, reply: held.append(reply))
    port = await server.listen(TcpSocket("127.0.0.1", 0))
    address = f"127.0.0.1:{port}"
    spec = graph([away("m")], call("m"), at("m", http=address, grpc=address), grpc_timeout_s=0.1)
    async with calling(spec) as ask:
        with pytest.raises(Failed) as failed:
            await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)
    await server.drain(0)

    assert failed.value.code == "DEADLINE_EXCEEDED"
    assert held


async def test_a_unit_that_speaks_http_alone_is_given_up_when_the_callers_time_is_over() -> None:
    server = HttpServer(lambda request, reply: None)
    port = await server.listen(TcpSocket("127.0.0.1", 0))
    spec = graph([away("m")], call("m"), Placement(unit="m", address=f"127.0.0.1:{port}"), timeout_s=60.0)
    over = served(spec)
    walk = Walk(b"p", [(b"grpc-timeout", b"50m")], is_grpc=True)

    with pytest.raises(Stopped, match="context deadline exceeded") as stopped:
        await as_future(over.executor.predict(Parcel(Message(Payload(Form.STRING, "x"))), walk))
    await server.drain(0)
    over.executor.close()

    assert stopped.value.grpc is GrpcCode.DEADLINE_EXCEEDED


async def test_a_unit_in_the_worker_has_the_limit_of_grpc_for_calls_over_grpc() -> None:
    release = threading.Event()
    spec = worker_spec([unit("m")], call("m"), timeout_s=60.0, grpc_timeout_s=0.05)
    async with calling(spec, m=Fake("m", predict=lambda value: release.wait(20))) as ask:
        # What was never measured runs on the loop; a unit that has been slow once runs on a thread.
        ask.served.executor.units["m"]._lane.pace.note(1.0, 1)  # type: ignore[attr-defined]  # a unit of this process
        with pytest.raises(Failed) as failed:
            await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)
        release.set()

    assert (failed.value.code, failed.value.trailers["fairlead-unit"]) == ("DEADLINE_EXCEEDED", "m")
    assert "did not answer within 0.05 s" in failed.value.words


async def infer(ask: Caller, **fields: Any) -> Any:
    return await ask(INFER, "inference.ModelInferRequest", "inference.ModelInferResponse", fields)


async def test_a_v2_answer_becomes_the_next_units_request_with_its_raw_contents() -> None:
    class Adding:
        def predict(self, X: Any, names: Any) -> Any:
            return X + 1

    second = Component(Adding(), unit("n"), env={})
    async with (
        peer(component(Adding()), protocol=Protocol.V2) as one,
        peer(second, protocol=Protocol.V2, name="n") as two,
    ):
        gone = f"127.0.0.1:{free_ports(1)[0]}"
        spec = graph(
            [away("m"), away("n")],
            Chain(steps=(call("m"), call("n"))),
            at("m", http=gone, grpc=one.address),
            at("n", http=gone, grpc=two.address),
            protocol=Protocol.V2,
        )
        raw = np.array([1, 2], "<f4").tobytes()
        async with calling(spec) as ask:
            answer = await infer(ask, model_name="m", id="7", inputs=[ROWS], raw_input_contents=[raw])

    assert raw in one.asked[0].body
    assert np.array([2, 3], "<f4").tobytes() in two.asked[0].body
    assert (answer.id, answer.raw_output_contents[0]) == ("7", np.array([3, 4], "<f4").tobytes())


async def test_a_v2_request_passes_untouched_and_names_the_unit() -> None:
    class Same:
        def predict(self, X: Any, names: Any) -> Any:
            return X

    async with peer(component(Same()), protocol=Protocol.V2) as one:
        spec = graph([away("m")], call("m"), at("m", http=one.address, grpc=one.address), protocol=Protocol.V2)
        raw = np.array([1, 2], "<f4").tobytes()
        async with calling(spec) as ask:
            named = await infer(ask, model_name="m", id="7", inputs=[ROWS], raw_input_contents=[raw])
            by_service = await infer(ask, model_name="dep", id="8", inputs=[ROWS], raw_input_contents=[raw])

    assert (named.model_name, named.id, named.raw_output_contents[0]) == ("m", "7", raw)
    assert (by_service.model_name, by_service.id) == ("m", "8")
    assert len(one.asked[1].body) > len(one.asked[0].body)


async def test_a_tensorflow_peer_is_asked_by_its_own_name() -> None:
    class Same:
        def predict(self, X: Any, names: Any) -> Any:
            return X * 2

    tensor = {"dtype": 1, "tensor_shape": {"dim": [{"size": 1}, {"size": 2}]}, "float_val": [3]}
    async with peer(component(Same()), protocol=Protocol.TENSORFLOW) as one:
        spec = graph([away("m")], call("m"), at("m", http=one.address, grpc=one.address), protocol=Protocol.TENSORFLOW)
        async with calling(spec) as ask:
            answer = await ask(
                "/tensorflow.serving.PredictionService/Predict",
                "tensorflow.serving.PredictRequest",
                "tensorflow.serving.PredictResponse",
                {"model_spec": {"name": "dep"}, "inputs": {"x": tensor}},
            )

    assert list(answer.outputs["output-0"].float_val) == [6, 6]
    assert answer.model_spec.name == "m"


async def test_a_code_of_a_peer_is_a_status_for_callers_over_rest() -> None:
    def refuse(request: Request, reply: Reply) -> None:
        reply(grpc_failure(GrpcCode.NOT_FOUND, "no such thing"))

    server = HttpServer(refuse)
    address = f"127.0.0.1:{await server.listen(TcpSocket('127.0.0.1', 0))}"
    async with calling(graph([away("m", http_port=0)], call("m"), at("m", http=address, grpc=address))) as ask:
        rest = await ask.served.post("/api/v1.0/predictions", {"data": {"ndarray": [[1]]}})
    await server.drain(0)

    assert rest.status == 404
    assert b"no such thing" in rest.body


async def test_fakes_and_peers_share_a_graph() -> None:
    async with peer(component(Doubling())) as one:
        units = [unit("here"), away("m")]
        root = Chain(steps=(call("here", Method.TRANSFORM_INPUT), call("m")))
        spec = graph(units, root, at("m", http=one.address, grpc=one.address))
        async with calling(spec, here=Fake("here", transform_input=lambda value: value + 1)) as ask:
            answer = await ask(PREDICT, MESSAGE, MESSAGE, {"data": {"tensor": {"shape": [1, 1], "values": [1]}}})

    assert list(answer.data.ndarray.values[0].list_value) == [4.0]
    assert dict(answer.meta.requestPath) == {"here": "image:1", "m": "image:1"}
