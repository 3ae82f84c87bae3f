"""The admin socket and the file that survives it."""

import asyncio
import json
from pathlib import Path

import pytest

from fairlead.backends.local.gateway import GatewayClient
from fairlead.backends.local.gateway.admin import TableFile
from fairlead.errors import ConfigError, NotReady
from fairlead.plan.routing import RouteTable
from support.gateways import bench, pool, service, until
from support.wire import post, wire_to

pytestmark = pytest.mark.anyio


async def test_a_published_table_is_in_force_and_on_disk_when_publish_returns() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        worker = await made.worker("w")
        table = RouteTable(services=(service("iris", {"default": pool(worker)}),))

        await made.client.publish(table)
        answer = await wire.ask(post("/seldon/ns/iris/x"))

        assert answer.status == 200
        assert TableFile(made.folder / "table.json").load() == table


async def test_publishing_the_same_table_again_changes_nothing() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool()}))
        epoch, written = made.gateway.switchboard.epoch, (made.folder / "table.json").stat().st_mtime_ns

        await made.client.publish(made.gateway.switchboard.table)

        assert made.gateway.switchboard.epoch is epoch
        assert (made.folder / "table.json").stat().st_mtime_ns == written


async def test_a_change_of_one_service_leaves_the_connections_of_another_alone() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        kept = service("kept", {"default": pool(worker)})
        await made.serve(kept)
        (before,) = worker.server.connections

        await made.serve(kept, service("new", {"default": pool()}))
        await made.serve(kept)

        assert worker.server.connections == {before}


async def test_a_change_of_one_among_many_is_handed_over_and_written_alone() -> None:
    many = {name: service(name, {"default": pool()}) for name in "abcdef"}
    async with bench() as made:
        await made.client.publish(RouteTable(services=tuple(many.values())))
        whole = (made.folder / "table.json").stat().st_size
        del many["b"]
        many["e"] = service("e", {"default": pool(refusal="scaled to zero")})
        table = RouteTable(services=tuple(many.values()))

        await made.client.publish(table)

        assert made.gateway.switchboard.table == table
        assert TableFile(made.folder / "table.json").load() == table
        assert (made.folder / "table.json").stat().st_size < 1.5 * whole


async def test_a_gateway_that_has_another_table_gets_the_whole_one() -> None:
    one, two, three = (service(name, {"default": pool()}) for name in ("one", "two", "three"))
    async with bench() as made:
        await made.client.publish(RouteTable(services=(one, three, two)))
        await GatewayClient(made.folder / "admin.sock").publish(RouteTable(services=(three,)))

        await made.client.publish(RouteTable(services=(one, two)))

        assert made.gateway.switchboard.table == RouteTable(services=(one, two))


async def test_the_table_file_stays_in_proportion_to_the_table() -> None:
    fixed = tuple(service(name, {"default": pool()}) for name in ("a", "b", "c"))
    async with bench() as made:
        for turn in range(400):
            changing = service("d", {"default": pool(refusal=f"{turn} " * 100)})
            await made.client.publish(RouteTable(services=(*fixed, changing)))

        assert TableFile(made.folder / "table.json").load() == RouteTable(services=(*fixed, changing))
        assert (made.folder / "table.json").stat().st_size < 80_000


async def test_an_amendment_cut_off_by_a_kill_is_as_if_it_never_was() -> None:
    first = RouteTable(services=tuple(service(name, {"default": pool()}) for name in ("a", "b", "c")))
    async with bench() as made:
        await made.client.publish(first)
        await made.client.publish(RouteTable(services=first.services[:2]))
        path = made.folder / "table.json"
        path.write_bytes(path.read_bytes()[:-5])

        assert TableFile(path).load() == first


async def test_stats_say_what_is_carried() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        worker = await made.worker("w")
        worker.holds = True
        await made.serve(service("iris", {"default": pool(worker)}), service("cold", {"default": pool()}))
        await wire.send(post("/seldon/ns/iris/x") + post("/seldon/ns/cold/x"))
        await until(lambda: bool(worker.held))

        stats = await made.client.stats()

    shown = {item.service: (item.ready, item.in_flight, item.waiting, item.answered) for item in stats.pools}
    assert shown == {"iris": (1, 1, 0, 0), "cold": (0, 0, 1, 0)}
    assert (stats.port, stats.connections) == (made.port, 1)


async def test_nobody_at_the_socket_is_said_and_may_be_tried_again(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"no gateway answers at .*nobody\.sock"):
        await GatewayClient(tmp_path / "nobody.sock").stats()


async def test_a_table_that_cannot_be_written_is_reported_to_the_publisher() -> None:
    async with bench() as made:
        (made.folder / "table.json").mkdir()

        table = RouteTable(services=(service("iris", {"default": pool()}),))

        with pytest.raises(ConfigError, match=r"in force, but the table cannot be written to .*table\.json"):
            await made.client.publish(table)
        (made.folder / "table.json").rmdir()
        await made.client.publish(table)

        assert TableFile(made.folder / "table.json").load() == table


async def test_nonsense_on_the_admin_socket_is_refused_and_harms_nobody() -> None:
    async with bench() as made:
        reader, writer = await asyncio.open_unix_connection(made.folder / "admin.sock")
        writer.write(b"\0\0\0\3abc")
        refusal = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
        writer.write(b"\xff\xff\xff\xff")
        rest = await reader.read()
        writer.close()
        stats = await made.client.stats()

    assert b"not a message for a gateway" in refusal
    assert rest == b""
    assert stats.port == made.port


def test_a_broken_table_file_is_reported_and_nothing_is_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"services": [{"kind": 3}]}))

    assert TableFile(path).load() is None
    assert "cannot be read" in caplog.text
    assert TableFile(tmp_path / "absent.json").load() is None
