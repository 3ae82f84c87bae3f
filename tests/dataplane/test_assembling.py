"""Addresses of units that run elsewhere, as a worker reads them."""

import asyncio
from dataclasses import replace

import pytest

from fairlead.dataplane.assembling import assemble
from fairlead.errors import ConfigError
from support.serving import call, unit, worker_spec

pytestmark = pytest.mark.anyio


async def url_of(address: str) -> str:
    spec = worker_spec([replace(unit("m"), runtime="remote", url=address)], call("m"))
    executor, _ = assemble(spec, {}, asyncio.get_running_loop())
    url: str = executor.units["m"].peer.url  # type: ignore[attr-defined]  # what calls and messages are made of
    executor.close()
    return url


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("models.example:8080", "http://models.example:8080"),
        ("http://models.example", "http://models.example:80"),
        ("http://models.example:8080/base/", "http://models.example:8080/base"),
        ("https://models.example", "https://models.example:443"),
        ("http://[::1]", "http://[::1]:80"),
    ],
)
async def test_an_address_is_a_url_or_a_host_and_port(address: str, url: str) -> None:
    assert await url_of(address) == url


@pytest.mark.parametrize("address", ["", "models.example", "models.example:port", "ftp://models.example:21"])
async def test_anything_else_is_refused_with_what_would_be_accepted(address: str) -> None:
    with pytest.raises(ConfigError, match="is no address; expected host:port, http://… or https://…"):
        await url_of(address)


async def test_a_peer_behind_a_socket_is_named_by_its_units_url() -> None:
    inside = replace(unit("m"), runtime="remote", url="http://iris.ns.svc.cluster.local/base/", is_inside=True)
    spec = worker_spec([inside], call("m"), addresses={"m": "unix:/run/inside.sock"})
    executor, _ = assemble(spec, {}, asyncio.get_running_loop())

    assert executor.units["m"].peer.url == "http://iris.ns.svc.cluster.local/base"  # type: ignore[attr-defined]  # as above
    executor.close()
