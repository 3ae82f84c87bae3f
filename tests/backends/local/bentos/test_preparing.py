"""What is found in a bento before it starts: what only an image would have, and that it is one at all."""

import shutil
from pathlib import Path

import pytest

from fairlead.plan.model import Artifact, BentoPart, Component, Plan, Prefetched
from fairlead.plan.status import ModelState, Phase
from support.local_world import World, component, plan, unit, world

pytestmark = pytest.mark.anyio
DESCRIBED = Path(__file__).parents[3] / "fixtures" / "bentos" / "described"


def bento(one: World, version: str | None = "1.1.11") -> Component:
    """A component of it, fetched as the store has it."""
    folder = one.fetcher.folder / "file____bento"
    if version is None:
        folder.mkdir(parents=True)
    else:
        shutil.copytree(DESCRIBED / version, folder)
    return component(unit(runtime="bento", bento=BentoPart(), artifact=Artifact(uri="file:///bento")))


async def test_what_is_no_bento_is_told() -> None:
    async with world() as one:
        await one.backend.apply(plan(bento(one, None)))
        status = await one.until(lambda status: status.phase is Phase.FAILED)

        assert status.cause is not None
        assert (status.cause.reason, status.cause.unit) == ("BadBento", "model")


async def test_facts_of_a_prefetched_bento_are_told() -> None:
    async with world() as one:
        bento(one)
        wanted = Prefetched(name="rich:1", artifact=Artifact(uri="file:///bento"), is_bento=True)
        empty: Plan = plan()
        await one.backend.apply(type(empty)(owner=empty.owner, components=(), routes=(), prefetched=(wanted,)))
        while not (found := one.statuses.get("iris")) or not found.prefetched or found.prefetched[0].facts is None:
            one.changed.clear()
            await one.changed.wait()

        (told,) = found.prefetched
        assert told.facts is not None
        assert told.facts.bentoml_version == "1.1.11"
        assert told.state in (ModelState.DOWNLOADING, ModelState.PENDING, ModelState.READY)
