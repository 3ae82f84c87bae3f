import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.backends.local.preparing import PreparationFailed, Preparer
from fairlead.errors import StorageError, StorageUnavailable
from fairlead.plan.model import Container, EnvVar, InitContainer, Logger, LogStore, Mount, UnitName, UserCode
from fairlead.plan.status import Progress
from support.local_world import OWNER, FakeFetcher, FakeLookup, artifact, component, unit

pytestmark = pytest.mark.anyio


class Heard:
    def __init__(self) -> None:
        self.words: list[str] = []

    def started(self, uri: str) -> None:
        self.words.append(f"started {uri}")

    def progressed(self, progress: Progress) -> None:
        self.words.append(f"{progress.done_bytes} of {progress.total_bytes}")

    def finished(self, uri: str) -> None:
        self.words.append(f"finished {uri}")

    def building(self, unit: str, line: str | None) -> None:
        self.words.append(f"building {unit}: {line}")


class Stage:
    def __init__(self, folder: Path) -> None:
        self.fetcher, self.lookup = FakeFetcher(folder), FakeLookup()
        self.preparer = Preparer(self.fetcher, self.lookup)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.fetcher.gate.set()
    await made.preparer.close()


async def test_a_listener_hears_how_a_transfer_goes(stage: Stage, tmp_path: Path) -> None:
    heard = Heard()
    prepared = await stage.preparer.prepare(OWNER, component(unit(artifact=artifact())), heard, folders={})

    assert prepared.folders == {"model": tmp_path / "s3___bucket_model"}
    assert heard.words == ["started s3://bucket/model", "10 of 20", "finished s3://bucket/model"]


async def test_a_transfer_goes_on_for_others_when_one_gives_up(stage: Stage) -> None:
    stage.fetcher.gate.clear()
    made = component(unit(artifact=artifact()))
    first, second = (asyncio.create_task(stage.preparer.prepare(OWNER, made, Heard(), folders={})) for _ in range(2))
    while not stage.fetcher.calls:
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    stage.fetcher.gate.set()

    assert (await second).folders
    assert len(stage.fetcher.calls) == 1


async def test_a_folder_that_is_known_is_not_fetched_again(stage: Stage, tmp_path: Path) -> None:
    made = component(unit(artifact=artifact()))
    prepared = await stage.preparer.prepare(OWNER, made, Heard(), folders={"model": tmp_path})
    assert prepared.folders == {"model": tmp_path}
    assert stage.fetcher.calls == []
    await stage.preparer.prepare(OWNER, made, Heard(), folders={"model": tmp_path / "pruned"})

    assert len(stage.fetcher.calls) == 1


@pytest.mark.parametrize(("error", "may_pass"), [(StorageError("no"), False), (StorageUnavailable("later"), True)])
async def test_a_failure_names_its_unit_and_whether_it_may_pass(stage: Stage, error: Exception, may_pass: bool) -> None:
    stage.fetcher.failures["s3://bucket/model"] = error
    with pytest.raises(PreparationFailed) as failed:
        await stage.preparer.prepare(OWNER, component(unit(artifact=artifact())), Heard(), folders={})

    assert failed.value.cause.unit == "model"
    assert failed.value.cause.message == str(error)
    assert (failed.value.may_pass, failed.value.is_reference) == (may_pass, False)


async def test_credentials_are_layered(stage: Stage) -> None:
    stage.lookup.accounts["robot"] = ("keys", "missing")
    stage.lookup.secrets["keys"] = {"AWS_ACCESS_KEY_ID": b"id", "AWS_SECRET_ACCESS_KEY": b"from-account"}
    stage.lookup.secrets["mine"] = {"AWS_SECRET_ACCESS_KEY": b"from-secret", "B": b"b"}
    made = artifact(service_account="robot", env_secret="mine", init_env=(EnvVar(name="B", value="from-manifest"),))
    await stage.preparer.prepare(OWNER, component(unit(artifact=made)), Heard(), folders={})

    assert stage.fetcher.calls[0][1] == {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "from-secret",
        "B": "from-manifest",
    }


async def test_payload_logs_have_credentials_of_their_own(stage: Stage) -> None:
    stage.lookup.secrets["keys"] = {"RCLONE_CONFIG_S3_ACCESS_KEY_ID": b"a-key-to-hide"}
    made = component(unit())
    access = artifact(env_secret="keys")
    logger = Logger(unit=UnitName(""), mode="all", url="s3://logs", store=LogStore(access=access))
    logged = replace(made, revision=replace(made.revision, loggers=(logger,)))

    prepared = await stage.preparer.prepare(OWNER, logged, Heard(), folders={})

    assert prepared.log_env == {"RCLONE_CONFIG_S3_ACCESS_KEY_ID": "a-key-to-hide"}
    assert "a-key-to-hide" in prepared.secrets
    assert stage.fetcher.calls == []


async def test_a_claim_is_looked_up_for_a_transfer_and_for_a_container(stage: Stage, tmp_path: Path) -> None:
    stage.lookup.claims["data"] = tmp_path
    container = Container(image="x", mounts=(Mount(path="/data", source="claim:data"),))
    made = component(
        unit(artifact=artifact("pvc://data")), unit(name="beside", runtime="container", container=container)
    )
    prepared = await stage.preparer.prepare(OWNER, made, Heard(), folders={})
    assert prepared.claims == {"claim:data": tmp_path}
    stage.lookup.claims.clear()
    with pytest.raises(PreparationFailed) as failed:
        await stage.preparer.prepare(OWNER, made, Heard(), folders={})

    assert failed.value.cause.message == "PersistentVolumeClaim 'data' does not exist in namespace 'ns'"


async def test_a_model_that_an_init_container_writes_is_not_fetched(stage: Stage) -> None:
    shared = Mount(path="/mnt/models", source="artifact")
    container = Container(image="x", mounts=(shared,), init=(InitContainer(name="i", image="y", mounts=(shared,)),))
    made = unit(runtime="container", container=container, artifact=artifact())
    prepared = await stage.preparer.prepare(OWNER, component(made), Heard(), folders={})

    assert (prepared.folders, stage.fetcher.calls) == ({}, [])


async def test_a_code_folder_that_is_not_there_is_named_with_its_image(stage: Stage, tmp_path: Path) -> None:
    made = component(
        unit(runtime="python", image="acme/x:1", code=UserCode(target="X", path=str(tmp_path / "nowhere")))
    )

    with pytest.raises(PreparationFailed) as caught:
        await stage.preparer.prepare(OWNER, made, Heard(), folders={})

    assert caught.value.cause.message == (
        f"the folder {tmp_path / 'nowhere'}, which the configuration names for the image acme/x:1, does not exist"
    )
    assert not caught.value.may_pass
