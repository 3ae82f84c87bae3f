"""Services inside the worker of a graph answer as they would over a wire."""

import asyncio
import json
from typing import Any

import pytest

from fairlead.dataplane.fusing import spoken_by
from fairlead.plan.model import Call, Merge, Method, Protocol, Sequence, UnitName
from fairlead.protocols.exchange import Response
from support.service_graphs import graph_of_services, hop
from support.serving import Fake, Served, Times, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio

PATHS = {Protocol.V1: "/v1/models/m:predict", Protocol.V2: "/v2/models/m/infer"}
V2 = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}], "id": "7"}


def alone(protocol: Protocol) -> Served:
    """The service's own worker."""
    spec = worker_spec([unit("m")], Call(unit=UnitName("m"), method=Method.PREDICT), protocol=protocol)
    return served(spec, m=Fake("m", rows=Times()))


def inside(protocol: Protocol, **fields: Any) -> Served:
    """A graph that holds it."""
    held = unit("svc", url=f"http://svc.ns.svc.cluster.local{PATHS[protocol]}")
    fakes = {"svc": Fake("m", rows=Times())}
    return graph_of_services([held], Sequence(name="root", hops=(hop("svc"),)), fakes=fakes, **fields)


def seen(response: Response) -> tuple[int, bytes, str]:
    return response.status, response.body, header(response, "Content-Type")


@pytest.mark.parametrize(
    ("protocol", "asked"),
    [
        (Protocol.V1, {"instances": [[1.0, 2.0]]}),
        (Protocol.V1, {"inputs": [[1.0, 2.0]]}),
        (Protocol.V1, {"nothing": 1}),
        (Protocol.V1, {"instances": 3}),
        (Protocol.V1, {"instances": [[1, 2, 3, 4, 5]]}),
        (Protocol.V1, b"no json"),
        (Protocol.V2, V2),
        (Protocol.V2, {"inputs": []}),
        (Protocol.V2, {"inputs": [{"name": "x", "shape": [3], "datatype": "FP64", "data": [1]}]}),
    ],
)
async def test_an_inner_service_answers_byte_for_byte_as_its_own_worker(protocol: Protocol, asked: Any) -> None:
    own = await alone(protocol).post(PATHS[protocol], asked)
    fused = await inside(protocol).post("/", asked)

    assert seen(fused) == seen(own)
    assert header(fused, "Fairlead-Step") == ("" if own.status == 200 else "root/svc")


async def test_inner_services_of_different_protocols_share_a_worker() -> None:
    units = [unit(name, url=f"http://{name}{PATHS[name]}") for name in (Protocol.V1, Protocol.V2)]
    fakes = {name.value: Fake(name, rows=Times(factor)) for name, factor in ((Protocol.V1, 2.0), (Protocol.V2, 3.0))}
    node = Merge(name="root", hops=tuple(hop(one.name) for one in units))

    answer = await graph_of_services(units, node, fakes=fakes).post("/", {"instances": [[1.0]], **V2})

    both = json.loads(answer.body)
    assert both["v1"]["predictions"] == [[2.0]]
    assert both["v2"]["outputs"][0]["data"] == [3.0, 6.0]


async def test_requests_of_the_same_moment_share_a_call_of_the_model() -> None:
    times = Times()
    held = unit("svc", url=f"http://svc{PATHS[Protocol.V1]}")
    node = Merge(name="root", hops=(hop("svc", "a"), hop("svc", "b")))

    await graph_of_services([held], node, fakes={"svc": Fake("m", rows=times)}).post("/", {"instances": [[1.0]]})

    assert [len(rows) for rows in times.calls] == [2]


async def test_an_inner_service_that_takes_too_long_is_given_up_in_the_words_of_a_distant_one() -> None:
    graph = inside(Protocol.V1, timeout_s=0.05)
    graph.executor.units["svc"]._handler = lambda request, reply: None  # type: ignore[attr-defined]  # it never answers

    response = await asyncio.wait_for(graph.post("/", {"instances": [[1.0]]}), 5)

    assert response.status == 500
    assert json.loads(response.body)["cause"].startswith('Post "http://svc.ns.svc.cluster.local/v1/models/m:predict": ')
    assert "context deadline exceeded" in json.loads(response.body)["cause"]


async def test_requests_are_counted_once_and_the_model_by_its_name() -> None:
    graph = inside(Protocol.V1)

    await graph.post("/", {"instances": [[1.0]]})

    families = {family.name: family for family in graph.meters.families()}
    server = families["seldon_api_executor_server_requests_seconds"].samples
    client = families["seldon_api_executor_client_requests_seconds"].samples
    assert [one.value for one in server if one.name.endswith("_count")] == [1]
    assert [(one.labels["model_name"], one.value) for one in client if one.name.endswith("_count")] == [("m", 1)]


async def test_a_graph_with_inner_services_is_ready_when_they_are_and_lets_them_go() -> None:
    held = unit("svc", url=f"http://svc{PATHS[Protocol.V1]}")
    fake = Fake("m", rows=Times())
    graph = graph_of_services([held], Sequence(name="root", hops=(hop("svc"),)), fakes={"svc": fake})

    assert await graph.executor.units["svc"].is_ready()
    graph.executor.close()

    assert fake.asked[-1] == ("close", None)


@pytest.mark.parametrize(
    ("path", "protocol"),
    [("/v1/models/m:predict", Protocol.V1), ("/v2/models/m/infer", Protocol.V2), ("", Protocol.V1)],
)
def test_a_path_says_the_protocol(path: str, protocol: Protocol) -> None:
    assert spoken_by(unit("m", url=f"http://m{path}")) is protocol
