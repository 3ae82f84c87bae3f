import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bench.ports import free_ports

from fairlead.environments import uv
from fairlead.environments.building import Builder
from fairlead.environments.failures import EnvironmentFailed, IndexUnavailable
from fairlead.environments.mode import Mode
from fairlead.runtimes.requirements import BadRequirements, Wanted
from support.hanging_server import HangingServer
from support.package_index import package_index
from support.small_disk import run_on_small_disk
from support.wheels import source_package, wheel

pytestmark = pytest.mark.slow


@dataclass
class Place:
    """A builder of its own, whose only index is a folder of wheels."""

    root: Path
    wheels: Path
    environ: dict[str, str]
    told: list[str] = field(default_factory=list)

    def builder(self, **environ: str) -> Builder:
        return Builder(self.root, environ=self.environ | environ)

    def build(self, *lines: str, builder: Builder | None = None, mode: Mode = Mode.AUTO) -> Path:
        return (builder or self.builder()).build(
            wanted(*lines), runtime="python", mode=mode, say=self.told.append, stop=lambda: False
        )

    @property
    def built(self) -> list[Path]:
        return sorted(path.parent for path in self.root.glob("*/environment.json"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    wheels = tmp_path / "wheels"
    wheel(wheels, "mine", "1.0")
    wheel(wheels, "mine", "2.0")
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    environ |= {"UV_CACHE_DIR": str(tmp_path / "uv"), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    return Place(tmp_path / "environments", wheels, environ)


def wanted(*lines: str, python: str = "") -> Wanted:
    return Wanted(source="requirements.txt", requirements=lines, python=python)


def says(python: Path, code: str) -> str:
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_what_is_missing_is_installed_and_the_rest_is_what_is_here(place: Place) -> None:
    import numpy

    python = place.build("mine==1.0")

    assert says(python, "import mine; print(mine.VERSION)") == "1.0"
    assert says(python, "import numpy; print(numpy.__file__)") == numpy.__file__
    assert says(python, "import fairlead.dataplane.worker as worker; print(worker.__name__)").endswith("worker")
    assert "installing 1 package" in place.told
    assert any(line.startswith("Installed 1 package") for line in place.told)


def test_what_was_built_is_used_again_without_a_word(place: Place) -> None:
    first = place.build("mine == 1.0")
    place.told.clear()

    assert place.build("Mine==1.0", builder=place.builder()) == first
    assert place.told == []
    assert place.build("mine==2.0") != first


def test_those_who_want_the_same_at_once_get_one_build(place: Place) -> None:
    with ThreadPoolExecutor(4) as pool:
        pythons = {future.result() for future in [pool.submit(place.build, "mine==1.0") for _ in range(4)]}

    assert len(pythons) == 1
    assert sum(line == "installing 1 package" for line in place.told) == 1
    assert [path.name for path in place.root.iterdir()] == [pythons.pop().parents[1].name]


def test_a_version_that_does_not_exist_is_told_in_uvs_words(place: Place) -> None:
    with pytest.raises(EnvironmentFailed, match=r"mine==9\.9"):
        place.build("mine==9.9")

    assert list(place.root.iterdir()) == []


def test_the_python_of_the_model_is_in_the_failure_when_ours_is_another(place: Place) -> None:
    with pytest.raises(EnvironmentFailed, match=r"the model was saved with 3\.6\)$"):
        place.builder().build(
            wanted("mine==9.9", python="3.6"), runtime="python", mode=Mode.AUTO, say=print, stop=lambda: False
        )


def test_an_index_that_does_not_answer_may_pass_and_its_password_is_not_told(place: Place) -> None:
    index = f"http://me:hunter2-secret@127.0.0.1:{free_ports(1)[0]}/simple"
    builder = place.builder(PIP_INDEX_URL=index, PIP_NO_INDEX="", UV_HTTP_RETRIES="0")

    with pytest.raises(IndexUnavailable, match="the package index cannot be reached: ") as caught:
        place.build("mine==1.0", builder=builder)

    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in "".join(place.told)


def test_sources_are_built_only_when_the_owner_allows_it(place: Place) -> None:
    source_package(place.wheels, "raw")

    with pytest.raises(EnvironmentFailed, match="raw"):
        place.build("raw")

    allowed = Builder(place.root, environ=place.environ, may_compile=True)
    assert says(place.build("raw", builder=allowed), "import raw; print(raw.VERSION)") == "1.0"


def test_what_cannot_be_installed_is_refused_before_anything_is_made(place: Place) -> None:
    with pytest.raises(BadRequirements, match="cannot be installed"):
        place.build("-e .")

    assert list(place.root.iterdir()) == []


def test_without_uv_the_message_says_how_to_get_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv, "find_spec", lambda _: None)

    with pytest.raises(EnvironmentFailed, match="pip install uv"):
        place.build("mine", builder=place.builder(PATH=""))


@pytest.mark.usefixtures(package_index.__name__)
def test_a_library_in_another_version_makes_an_environment_complete_in_itself(place: Place) -> None:
    """Real packages: the worker's own needs come from the index too."""
    builder = Builder(place.root, environ=os.environ)
    python = place.build("packaging==24.0", builder=builder)

    assert says(python, "import packaging; print(packaging.__version__)") == "24.0"
    assert says(python, "import numpy; print(numpy.__file__)").startswith(str(place.root))
    assert "No module named 'sklearn'" in says(python, "import fairlead.dataplane.worker, sklearn")
    assert says(python, "import fairlead.dataplane.worker; print('starts')") == "starts"


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[HangingServer]:
    with HangingServer(wheel(tmp_path / "slow", "slow")) as server:
        yield server


def test_a_build_that_nobody_waits_for_ends(place: Place, hanging: HangingServer) -> None:
    with pytest.raises(IndexUnavailable, match="nobody waits"):
        place.builder().build(
            wanted(f"slow @ {hanging.url}"),
            runtime="python",
            mode=Mode.AUTO,
            say=place.told.append,
            stop=hanging.asked.is_set,
        )

    assert list(place.root.iterdir()) == []


_SCRIPT = """
import os, sys
from pathlib import Path
from fairlead.environments.building import Builder
from fairlead.environments.mode import Mode
from fairlead.runtimes.requirements import Wanted
Builder(Path(sys.argv[1]), environ=os.environ).build(
    Wanted(source="requirements.txt", requirements=(sys.argv[2],)),
    runtime="python", mode=Mode.AUTO, say=lambda line: None, stop=lambda: False,
)
"""


def test_a_build_that_is_killed_leaves_nothing_that_is_used(place: Place, hanging: HangingServer) -> None:
    line = f"slow @ {hanging.url}"
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(place.root), line], env=place.environ, start_new_session=True
    )
    assert hanging.asked.wait(30)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    assert place.built == []
    assert len(list(place.root.glob(".*"))) == 1
    with pytest.raises(IndexUnavailable):
        place.builder().build(wanted(line), runtime="python", mode=Mode.AUTO, say=print, stop=lambda: True)
    assert list(place.root.iterdir()) == []


def test_a_full_disk_is_told_in_one_sentence(place: Place, tmp_path: Path) -> None:
    big = wheel(place.wheels, "big", size_bytes=3 * 1024 * 1024)
    script = f"import os; os.environ.update({place.environ!r})\n{_SCRIPT}"

    done = run_on_small_disk(
        tmp_path / "full", script, str(tmp_path / "full" / "environments"), f"big @ {big.as_uri()}"
    )

    assert "EnvironmentFailed: there is no room on the disk for the environment" in done.stderr


def test_the_least_recently_used_go_first_and_what_runs_stays(place: Place) -> None:
    oldest, running, newest = (place.build(line) for line in ("mine==1.0", "mine==2.0", "mine>=1.0"))
    for age_s, python in ((300, oldest), (400, running), (200, newest)):
        record = python.parents[1] / "environment.json"
        os.utime(record, (record.stat().st_mtime - age_s,) * 2)

    place.builder().prune([running], 0, just_used_s=250)

    assert place.built == sorted([running.parents[1], newest.parents[1]])
    place.builder().prune([running], 10**12, just_used_s=0)
    assert len(place.built) == 2


def test_an_environment_that_lost_its_python_is_built_again(place: Place) -> None:
    python = place.build("mine==1.0")
    shutil.rmtree(python.parent)

    assert says(place.build("mine==1.0"), "import mine; print(mine.VERSION)") == "1.0"


@pytest.mark.parametrize(("mode", "needed"), [(Mode.AUTO, False), (Mode.BUILD, True), (Mode.NEVER, False)])
def test_what_is_here_already_is_built_only_on_demand(place: Place, mode: Mode, needed: bool) -> None:
    assert place.builder().is_needed(wanted("numpy"), mode) is needed
    assert place.builder().is_needed(wanted("mine"), Mode.AUTO)
    assert not place.builder().is_needed(wanted("mine"), Mode.NEVER)


def apart(place: Place, *lines: str, module: str = "mine", mode: Mode = Mode.BUILD) -> Path:
    asked = Wanted(source="bento b:1", requirements=lines, apart=module)
    return place.builder().build(asked, runtime="bento", mode=mode, say=place.told.append, stop=lambda: False)


def test_an_environment_apart_holds_what_was_asked_for_and_nothing_of_ours(place: Place) -> None:
    python = apart(place, "mine==1.0")

    assert says(python, "import mine; print(mine.VERSION)") == "1.0"
    assert says(python, "import fairlead").endswith("No module named 'fairlead'")
    assert says(python, "import msgspec").endswith("No module named 'msgspec'")
    assert "installing 1 package" in place.told


def test_one_whose_module_does_not_start_is_refused(place: Place) -> None:
    with pytest.raises(EnvironmentFailed, match="other does not start with these versions: ModuleNotFoundError"):
        apart(place, "mine==1.0", module="other")
