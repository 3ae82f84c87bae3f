import shutil
from pathlib import Path

import pytest

from fairlead.backends.local.commands import UnitPorts
from fairlead.backends.local.containers import ContainerRun, Step, container_program, no_engine_message, run_arguments
from fairlead.backends.local.home import Home
from fairlead.backends.local.preparing import Prepared
from fairlead.plan.model import Container, Mount
from fairlead.plan.status import Phase
from support.local_world import component, plan, unit, world

pytestmark = pytest.mark.anyio


@pytest.mark.slow
async def test_without_an_engine_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "docker").symlink_to(shutil.which("false") or "/bin/false")
    strange = unit(runtime="container", container=Container(image="quay.io/team/strange:2"), http_port=9000)
    async with world() as one:
        await one.backend.apply(plan(component(strange)))
        status = await one.until(lambda status: status.phase is Phase.FAILED)

        assert status.cause is not None
        assert (status.cause.unit, status.cause.reason) == ("model", "NoContainerEngine")
        assert status.cause.message == no_engine_message("quay.io/team/strange:2")
        assert '[images."team/strange"]' in status.cause.message


def test_secrets_do_not_appear_in_the_command_line() -> None:
    step = Step(name="model", image="x:1", env={"TOKEN": "hunter2", "HOME": "/root"})
    arguments = run_arguments(_run(step), step, {}, name="n", labels={})

    assert "TOKEN" in arguments
    assert not any("hunter2" in argument for argument in arguments)
    # The engine's own command line would obey this one, so it cannot travel in its environment.
    assert "HOME=/root" in arguments


def test_command_and_args_replace_entry_point_and_command() -> None:
    step = Step(name="model", image="x:1", command=["python", "-m"], args=["serve"])
    arguments = run_arguments(_run(step), step, {}, name="n", labels={})

    assert arguments[arguments.index("--entrypoint") :] == ["--entrypoint", "python", "x:1", "-m", "serve"]


def test_ports_are_published_on_the_loopback_only() -> None:
    step = Step(name="model", image="x:1")
    arguments = run_arguments(_run(step), step, {}, name="n", labels={})

    assert arguments[arguments.index("--publish") + 1] == "127.0.0.1:40000:9000"


def test_a_fetched_model_is_mounted_read_only_whatever_the_manifest_says(tmp_path: Path) -> None:
    mounts = (Mount(path="/mnt/models", source="artifact", read_only=False),)
    made = unit(runtime="container", container=Container(image="x:1", mounts=mounts), http_port=9000)
    program = container_program(
        made,
        Prepared(folders={"model": tmp_path}),
        real=UnitPorts(http=40000),
        workdir=tmp_path,
        home=Home(tmp_path),
        replica="r",
    )

    assert program.address == "127.0.0.1:40000"
    assert b'"read_only":true' in program.told


def _run(step: Step) -> ContainerRun:
    return ContainerRun(unit="model", replica="r", home="h", workdir="/w", inits=[], main=step, ports=[(9000, 40000)])
