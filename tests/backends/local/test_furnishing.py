import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest

from fairlead.backends.local.furnishing import ANNOTATION, Furnisher, processes_of
from fairlead.backends.local.home import Home
from fairlead.backends.local.placing import Identity, place
from fairlead.backends.local.ports import Ports
from fairlead.backends.local.preparing import PreparationFailed, Prepared, Preparer
from fairlead.backends.local.rpc import Forked
from fairlead.environments.failures import EnvironmentFailed, IndexUnavailable
from fairlead.environments.mode import Mode
from fairlead.plan.model import Component, Unit, UnitName, UserCode
from fairlead.plan.status import Progress
from fairlead.runtimes.requirements import Wanted, unmet
from support.local_world import OWNER, FakeFetcher, FakeLookup, component, unit

pytestmark = pytest.mark.anyio
PYTHON = Path("/environments/0123/bin/python")


@dataclass
class FakeBuilder:
    """Says its lines and gives its Python, or fails."""

    lines: tuple[str, ...] = ("Resolved 1 package", "Installed 1 package")
    failure: Exception | None = None
    orders: list[tuple[Wanted, str, Mode]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    waits: bool = False

    def is_needed(self, wanted: Wanted, mode: Mode) -> bool:
        return mode is Mode.BUILD or bool(unmet(wanted))

    def build(
        self, wanted: Wanted, *, runtime: str, mode: Mode, say: Callable[[str], None], stop: Callable[[], bool]
    ) -> Path:
        self.orders.append((wanted, runtime, mode))
        for line in self.lines:
            say(line)
        pause = threading.Event()
        while self.waits and not stop():
            pause.wait(0.01)
        self.ended.set()
        if self.failure is not None:
            raise self.failure
        return PYTHON


@dataclass
class Heard:
    words: list[str] = field(default_factory=list)

    def started(self, uri: str) -> None: ...
    def progressed(self, progress: Progress) -> None: ...
    def finished(self, uri: str) -> None: ...
    def building(self, unit: str, line: str | None) -> None:
        self.words.append(f"{unit}: {line}")


def asking(folder: Path, name: str = "shout", line: str = "cowsay==6.1") -> Unit:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "requirements.txt").write_text(f"{line}\n")
    return unit(name=UnitName(name), code=UserCode(target="Shout", path=str(folder)))


def annotated(made: Component, value: str) -> Component:
    return replace(made, revision=replace(made.revision, annotations=((ANNOTATION, value),)))


async def prepare(
    made: Component, builder: FakeBuilder, folder: Path, default: Mode = Mode.AUTO
) -> tuple[Prepared, list[str]]:
    preparer, heard = Preparer(FakeFetcher(folder), FakeLookup(), Furnisher(builder, default)), Heard()
    prepared = await preparer.prepare(OWNER, made, heard, folders={})
    await anyio.lowlevel.checkpoint()
    return prepared, heard.words


async def test_a_listener_hears_why_something_is_built_and_how_far_it_is(tmp_path: Path) -> None:
    prepared, words = await prepare(component(asking(tmp_path)), FakeBuilder(), tmp_path)

    assert prepared.pythons == {"shout": PYTHON}
    assert words == [
        "shout: requirements.txt: cowsay==6.1 (installed: not at all)",
        "shout: Resolved 1 package",
        "shout: Installed 1 package",
        "shout: None",
    ]


async def test_nothing_is_said_of_what_was_built_before(tmp_path: Path) -> None:
    prepared, words = await prepare(component(asking(tmp_path)), FakeBuilder(lines=()), tmp_path)

    assert (prepared.pythons, words) == ({"shout": PYTHON}, [])


async def test_a_list_that_is_met_leaves_a_unit_where_it_is(tmp_path: Path) -> None:
    builder = FakeBuilder()
    prepared, _ = await prepare(component(asking(tmp_path, line="numpy")), builder, tmp_path)

    assert (prepared.pythons, builder.orders) == ({}, [])


@pytest.mark.parametrize(
    ("said", "default", "built"),
    [
        ("", Mode.AUTO, True),
        ("", Mode.NEVER, False),
        ("never", Mode.AUTO, False),
        ("Build", Mode.NEVER, True),
        ("auto", Mode.NEVER, True),
    ],
)
async def test_the_manifest_says_when_and_the_settings_where_it_does_not(
    tmp_path: Path, said: str, default: Mode, built: bool
) -> None:
    prepared, _ = await prepare(annotated(component(asking(tmp_path)), said), FakeBuilder(), tmp_path, default)

    assert bool(prepared.pythons) is built


async def test_a_word_that_means_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PreparationFailed, match="is 'maybe'; accepted: auto, build, never"):
        await prepare(annotated(component(asking(tmp_path)), "maybe"), FakeBuilder(), tmp_path)


@pytest.mark.parametrize(("failure", "may_pass"), [(EnvironmentFailed("no"), False), (IndexUnavailable("no"), True)])
async def test_a_failure_names_the_unit_and_whether_it_may_pass(
    tmp_path: Path, failure: Exception, may_pass: bool
) -> None:
    with pytest.raises(PreparationFailed) as caught:
        await prepare(component(asking(tmp_path)), FakeBuilder(failure=failure), tmp_path)

    assert (caught.value.cause.unit, caught.value.cause.reason) == ("shout", "EnvironmentFailed")
    assert caught.value.may_pass is may_pass


async def test_a_build_is_given_up_with_the_revision(tmp_path: Path) -> None:
    builder = FakeBuilder(waits=True)
    with anyio.move_on_after(0.1):
        await prepare(component(asking(tmp_path)), builder, tmp_path)

    assert await anyio.to_thread.run_sync(builder.ended.wait, 10)


def named(name: str, **changes: object) -> Unit:
    return replace(unit(name=UnitName(name)), **changes)  # type: ignore[arg-type]  # fields by their names


def test_units_in_one_environment_share_a_process_beside_those_that_need_none() -> None:
    units = (named("router", runtime="builtin"), named("a"), named("b"))

    assert processes_of(units, {}) == ("", frozenset())
    assert processes_of(units, {"a": PYTHON, "b": PYTHON}) == (str(PYTHON), frozenset())
    assert processes_of(units, {"a": PYTHON}) == ("", frozenset({"a"}))
    assert processes_of(units, {"a": PYTHON, "b": Path("/other/bin/python")}) == ("", frozenset({"a", "b"}))


def test_a_unit_of_its_own_environment_is_started_beside_the_others() -> None:
    made = component(named("a"), named("b"))
    spec = place(
        OWNER,
        made,
        Prepared(pythons={"b": PYTHON}),
        Identity(name="r", token="t0"),
        home=Home(Path("/home/somebody/.fairlead")),
        ports=Ports(),
    )
    main, beside = (member for member in spec.members if isinstance(member, Forked))

    assert (main.unit, main.python) == ("", "")
    assert (beside.unit, beside.python) == ("b", str(PYTHON))
    assert [unit.isolate for unit in main.spec.revision.units] == [False, True]


def test_the_only_unit_of_a_revision_takes_the_worker_to_its_environment() -> None:
    spec = place(
        OWNER,
        component(named("a")),
        Prepared(pythons={"a": PYTHON}),
        Identity(name="r", token="t0"),
        home=Home(Path("/home/somebody/.fairlead")),
        ports=Ports(),
    )

    assert [member.python for member in spec.members if isinstance(member, Forked)] == [str(PYTHON)]
