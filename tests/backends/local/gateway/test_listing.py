"""The gateway's own pages."""

import json
from dataclasses import replace

import pytest

from support.gateways import bench, pool, service
from support.wire import get, post, wire_to

pytestmark = pytest.mark.anyio


async def test_programs_get_what_is_served_as_json() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        worker = await made.worker("w")
        served = service("iris", {"default": pool(worker)})
        await made.serve(replace(served, state="Available", docs_path="/seldon/ns/iris/api/v1.0/doc/"))

        answer = await wire.ask(get("/"))

    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body) == {
        "services": [
            {
                "kind": "SeldonDeployment",
                "namespace": "ns",
                "name": "iris",
                "state": "Available",
                "path": "/seldon/ns/iris/",
                "host": "",
                "docs": "/seldon/ns/iris/api/v1.0/doc/",
                "components": [{"name": "default", "ready": 1, "inFlight": 0, "waiting": 0}],
            }
        ]
    }


async def test_people_get_a_page_that_needs_nothing_from_elsewhere_and_trusts_no_name() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        odd = replace(service("iris", {"default": pool()}), state="<script>", docs_path='/docs"onclick=')
        await made.serve(odd)

        answer = await wire.ask(get("/", "Accept: text/html,*/*"))

    page = answer.body.decode()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>" in page
    assert "/seldon/ns/iris/" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert '"onclick' not in page
    assert "://" not in page


async def test_an_empty_gateway_says_how_to_fill_it() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        page = await wire.ask(get("/", "Accept: text/html"))
        listing = await wire.ask(get("/"))

    assert b"fairlead apply" in page.body
    assert json.loads(listing.body) == {"services": []}


async def test_health_is_answered_here() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        answer = await wire.ask(get("/-/healthy"))
        not_a_page = await wire.ask(post("/-/healthy"))

    assert (answer.status, answer.body, not_a_page.status) == (200, b'{"status":"ok"}', 404)


async def test_metrics_count_requests_by_component_and_code_with_their_durations() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}), service("off", {"default": pool(refusal="no")}))
        for _ in range(3):
            await wire.ask(post("/seldon/ns/iris/x"))
        await wire.ask(post("/seldon/ns/off/x"))
        await wire.ask(get("/nowhere"))

        answer = await wire.ask(get("/-/metrics"))

    lines = answer.body.decode().splitlines()
    iris = 'component="default",kind="SeldonDeployment",namespace="ns",service="iris"'
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert f'fairlead_gateway_requests_total{{code="200",{iris}}} 3.0' in lines
    assert f'fairlead_gateway_requests_total{{code="503",{iris.replace("iris", "off")}}} 1.0' in lines
    assert f"fairlead_gateway_request_duration_seconds_count{{{iris}}} 3.0" in lines
    bucket = 'component="default",kind="SeldonDeployment",le="+Inf",namespace="ns",service="iris"'
    assert f"fairlead_gateway_request_duration_seconds_bucket{{{bucket}}} 3.0" in lines
    assert f"fairlead_gateway_ready{{{iris}}} 1.0" in lines
    assert f"fairlead_gateway_concurrency{{{iris}}} 0.0" in lines
    assert any(line.startswith(f"fairlead_gateway_presence_seconds_total{{{iris}}} ") for line in lines)
    assert "fairlead_gateway_unrouted_total 1.0" in lines
    assert "fairlead_gateway_connections 1.0" in lines
