"""Units whose image nobody knows, run by a real Docker daemon."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.local.rpc import Program
from fairlead.plan.model import Component, Container, EnvVar, InitContainer, KeyRef, Mount, Resources, Unit, UnitName
from fairlead.plan.status import Phase
from support.docker_engine import IMAGE, docker, docker_daemon, missing
from support.local_world import OWNER, World, artifact, component, plan, unit, world
from support.supervising import until, watched

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(180)]
SERVE = ("/bin/busybox", "sh", "-c")


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    if why := missing():
        pytest.skip(why)
    with docker_daemon() as address:
        yield address


@pytest.fixture
async def one(engine: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("DOCKER_HOST", engine)
    async with world() as made:
        yield made


def _unit(
    script: str, *, mounts: tuple[Mount, ...] = (), init: tuple[InitContainer, ...] = (), **changes: Any
) -> Component:
    container = Container(image=IMAGE, command=SERVE, args=(script,), mounts=mounts, init=init)
    made = Unit(name=UnitName("model"), runtime="container", container=container, http_port=9000)
    return component(replace(made, **changes))


async def _get(world: World, path: str) -> bytes:
    """What the container answers, by the port that was published."""
    async with watched(world.home) as seen:
        await seen.until(bool)
    (info,) = seen.replicas.values()
    (program,) = [member for member in info.spec.members if isinstance(member, Program)]
    host, _, port = program.address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.partition(b"\r\n\r\n")[2]


def _containers(address: str) -> list[str]:
    return docker(address, "ps", "--all", "--quiet").split()


async def test_a_container_serves_with_its_model_its_environment_and_its_secrets(one: World, engine: str) -> None:
    one.lookup.secrets["creds"] = {"token": b"hunter2\nsecond line"}
    one.lookup.config_maps["settings"] = {"mode": "fast"}
    (one.home.cache / "s3___bucket_model").mkdir()
    (one.home.cache / "s3___bucket_model" / "weights").write_text("12345")
    mounts = (
        Mount(path="/mnt/models", source="artifact", read_only=True),
        Mount(path="/etc/creds", source="secret:creds"),
        Mount(path="/etc/settings", source="config:settings"),
        Mount(path="/scratch", source="scratch"),
    )
    script = (
        'cp /mnt/models/weights /etc/creds/token /etc/settings/mode /www; echo "$TOKEN" > /www/env; '
        "touch /scratch/x && touch /mnt/models/x 2> /www/refused; exec busybox httpd -f -p 9000 -h /www"
    )
    token = EnvVar(name="TOKEN", source=KeyRef(kind="Secret", name="creds", key="token"))
    await one.backend.apply(plan(_unit(script, mounts=mounts, artifact=artifact(), env=(token,))))
    await one.until_routed()

    assert await _get(one, "/weights") == b"12345"
    assert await _get(one, "/token") == b"hunter2\nsecond line"
    assert await _get(one, "/env") == b"hunter2\nsecond line\n"
    assert await _get(one, "/mode") == b"fast"
    assert b"Read-only" in await _get(one, "/refused")
    await one.backend.delete(OWNER)
    await until(lambda: not _containers(engine))


async def test_an_init_container_fills_the_model_folder_first(one: World) -> None:
    shared = Mount(path="/mnt/models", source="artifact")
    init = InitContainer(
        name="fetch",
        image=IMAGE,
        command=SERVE,
        args=("echo made by $WHO > /mnt/models/note",),
        mounts=(shared,),
        env=(EnvVar(name="WHO", value="init"),),
    )
    script = "exec busybox httpd -f -p 9000 -h /mnt/models"
    await one.backend.apply(plan(_unit(script, mounts=(shared,), init=(init,), artifact=artifact())))
    await one.until_routed()

    assert await _get(one, "/note") == b"made by init\n"
    assert one.fetcher.calls == []


async def test_a_failing_init_container_is_named(one: World) -> None:
    init = InitContainer(name="fetch", image=IMAGE, command=SERVE, args=("exit 7",))
    await one.backend.apply(plan(_unit("exec true", init=(init,))))
    status = await one.until(lambda status: status.phase is Phase.FAILED)

    assert status.cause is not None
    assert (status.cause.unit, status.cause.reason) == ("model", "InitContainerFailed")
    assert status.cause.message == "init container fetch exited with code 7"


async def test_the_end_of_a_container_is_explained_by_its_code_and_its_last_line(one: World) -> None:
    await one.backend.apply(plan(_unit("echo no licence; exit 3")))
    status = await one.until(lambda status: status.phase is Phase.FAILED)

    assert status.cause is not None
    assert status.cause.message == f"container {IMAGE} exited with code 3: no licence"
    assert "no licence" in Path(status.replicas[0].log_path).read_text()


async def test_a_container_that_uses_too_much_memory_is_told_from_others(one: World) -> None:
    limit = Resources(memory_limit_bytes=20 * 1024 * 1024)
    script = "x=$(busybox dd if=/dev/zero bs=1M count=100 | busybox tr '\\0' a); echo ${#x}"
    await one.backend.apply(plan(_unit(script, resources=limit)))
    status = await one.until(lambda status: status.phase is Phase.FAILED)

    assert status.cause is not None
    assert (status.cause.unit, status.cause.reason) == ("model", "OOMKilled"), status.cause


async def test_an_image_that_cannot_be_pulled_is_named(one: World) -> None:
    nowhere = unit(runtime="container", http_port=9000, container=Container(image="localhost:1/nothing:1"))
    await one.backend.apply(plan(component(nowhere)))
    status = await one.until(lambda status: status.phase is Phase.FAILED)

    assert status.cause is not None
    assert status.cause.reason == "ImagePullFailed"
    assert status.cause.message.startswith("image localhost:1/nothing:1 cannot be pulled: ")


async def test_no_container_survives_a_supervisor_that_is_killed(one: World, engine: str) -> None:
    await one.backend.apply(plan(_unit("exec busybox httpd -f -p 9000 -h /www")))
    await one.until_routed()
    one.supervisor.process.kill()

    await until(lambda: not _containers(engine))


async def test_what_a_killed_runner_left_is_removed_by_the_next(one: World, engine: str) -> None:
    await one.backend.apply(plan(_unit("exec busybox httpd -f -p 9000 -h /www")))
    await one.until_routed()
    left = _containers(engine)
    (runner,) = one.supervisor.running("container_runner")
    os.kill(runner, signal.SIGKILL)
    await one.until(lambda status: bool(status.replicas) and status.replicas[0].restarts == 1 and status.ready == 1)

    assert len(_containers(engine)) == 1
    assert _containers(engine) != left
