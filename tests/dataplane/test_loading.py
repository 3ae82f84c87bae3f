"""Units are loaded in order, each with its own environment, and fail with a sentence."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairlead.dataplane.loading import NotLoaded, load_units
from fairlead.dataplane.spec import Loading, Placement, WorkerSpec
from fairlead.errors import LoadError
from fairlead.plan.model import Chain, Unit, UnitName
from fairlead.runtimes.base import LoadContext, Servable
from support.serving import Fake, call, unit, worker_spec


def spec_of(*units: Unit, placements: list[Placement] | None = None, **fields: Any) -> WorkerSpec:
    spec = worker_spec(list(units), Chain(steps=tuple(call(one.name) for one in units)), **fields)
    return msgspec.structs.replace(spec, placements=placements or [])


def test_each_unit_has_its_environment_and_files_while_it_loads(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def load(context: LoadContext) -> Servable:
        seen[context.unit.name] = (os.environ.get("FAIRLEAD_TEST_A"), context.folder, context.env, context.workdir)
        return Fake(context.unit.name)

    placements = [Placement(unit="a", folder=str(tmp_path), env={"FAIRLEAD_TEST_A": "1"}), Placement(unit="b")]
    said: list[Loading] = []
    loaded = load_units(spec_of(unit("a"), unit("b"), placements=placements, workdir="/scratch"), load, said.append)

    assert list(loaded) == ["a", "b"]
    assert said == [Loading(unit="a"), Loading(unit="b")]
    assert seen == {
        "a": ("1", tmp_path, {"FAIRLEAD_TEST_A": "1"}, Path("/scratch")),
        "b": (None, None, {}, Path("/scratch")),
    }


def test_the_only_unit_of_a_process_keeps_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRLEAD_TEST_A", "before")
    placement = Placement(unit="a", env={"FAIRLEAD_TEST_A": "1"})

    load_units(spec_of(unit("a"), placements=[placement]), lambda context: Fake(context.unit.name), lambda _: None)

    assert os.environ["FAIRLEAD_TEST_A"] == "1"


def test_units_elsewhere_are_not_loaded() -> None:
    units = (
        unit("a"),
        unit("b"),
        Unit(name=UnitName("c"), runtime="container"),
        Unit(name=UnitName("d"), runtime="sklearn", isolate=True),
    )
    spec = spec_of(*units, placements=[Placement(unit="b", address="127.0.0.1:1")])

    loaded = load_units(spec, lambda context: Fake(context.unit.name), lambda _: None)

    assert list(loaded) == ["a", "d"]


def test_an_error_of_ours_that_has_a_cause_keeps_its_traceback() -> None:
    def load(_: LoadContext) -> Servable:
        try:
            raise ValueError("in the user's code")
        except ValueError as error:
            raise LoadError("Model.py:3: in the user's code") from error

    with pytest.raises(NotLoaded) as caught:
        load_units(spec_of(unit("a")), load, lambda _: None)

    assert "ValueError: in the user's code" in caught.value.failed.detail


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (LoadError("model.joblib: not a model"), "LoadError", "model.joblib: not a model"),
        (ValueError("bad\nvalue"), "LoadError", "unit 'b' did not load: ValueError: bad\nvalue"),
        (SystemExit(3), "LoadError", "unit 'b' did not load: SystemExit: 3"),
        (MemoryError(), "OutOfMemory", "unit 'b' needs more memory than its limit of 1000 bytes"),
    ],
)
def test_a_unit_that_does_not_load_says_why_and_the_others_are_let_go(
    error: BaseException, reason: str, message: str
) -> None:
    first = Fake("a")

    def load(context: LoadContext) -> Servable:
        if context.unit.name == "a":
            return first
        raise error

    with pytest.raises(NotLoaded) as caught:
        load_units(spec_of(unit("a"), unit("b"), memory_limit_bytes=1000), load, lambda _: None)

    failed = caught.value.failed
    assert (failed.unit, failed.reason, failed.message) == ("b", reason, message)
    # What we raise ourselves is told in full by its message; for everything else the log needs the traceback.
    assert ("Traceback" in failed.detail) is not isinstance(error, LoadError)
    assert first.asked == [("close", None)]


def test_a_library_that_wraps_running_out_of_memory_is_seen_through() -> None:
    def load(_: LoadContext) -> Servable:
        try:
            raise MemoryError
        except MemoryError as error:
            raise LoadError("cannot read model") from error

    with pytest.raises(NotLoaded) as caught:
        load_units(spec_of(unit("a")), load, lambda _: None)

    assert caught.value.failed.reason == "OutOfMemory"
