"""Which packages a bento gets, and what it does not get without an image."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.runtimes.bento.description import describe
from fairlead.runtimes.bento.requirements import only_in_an_image, wanted_by
from fairlead.runtimes.bento.values import Description
from fairlead.runtimes.requirements import BadRequirements, Wanted, to_install

DESCRIBED = Path(__file__).parents[2] / "fixtures" / "bentos" / "described"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy to change of what BentoML 1.1 wrote."""
    return Path(shutil.copytree(DESCRIBED / "1.1.11", tmp_path / "old"))


def wanted(folder: Path) -> Wanted:
    return wanted_by(folder, describe(folder))


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        ("1.0.25", ("pyyaml", "bentoml==1.0.25", "cattrs<23.2", "setuptools<81")),
        ("1.1.11", ("pyyaml", "bentoml==1.1.11", "setuptools<81")),
        ("1.2.20", ("bentoml==1.2.20", "pyyaml", "pydantic<2.9", "setuptools<81")),
        ("1.3.22", ("pyyaml", "bentoml==1.3.22", "setuptools<81")),
        ("1.4.39", ("pyyaml", "bentoml==1.4.39")),
    ],
)
def test_the_bentoml_that_built_it_comes_with_what_it_fails_without(version: str, lines: tuple[str, ...]) -> None:
    found = wanted(DESCRIBED / version)

    assert found.requirements == lines
    assert found.options == (
        "--index-url https://user:hunter2@index.example/simple",
        "--extra-index-url https://more.example/simple",
    )
    assert (found.python, found.apart) == ("3.10", "bentoml")


def test_a_lock_counts_before_what_was_asked_for(old: Path) -> None:
    lock = "--find-links /opt/wheels\n\npyyaml==6.0.2\nsetuptools==70.0.0\nbentoml==1.1.10\n"
    (old / "env/python/requirements.lock.txt").write_text(lock)
    found = wanted(old)

    assert found.requirements == ("pyyaml==6.0.2", "setuptools==70.0.0", "bentoml==1.1.10", "pyyaml")
    assert found.ignored == ("--find-links /opt/wheels",)  # of the machine that locked it


def test_wheels_that_a_bento_brings_are_installed_from_it(old: Path) -> None:
    wheels = old / "env/python/wheels"
    wheels.mkdir()
    (wheels / "mine-1.0-py3-none-any.whl").touch()
    (wheels / "other-1.0-py3-none-any.whl").touch()
    (old / "env/python/requirements.txt").write_text("./wheels/other-1.0-py3-none-any.whl\n")

    lines = [line for line in wanted(old).requirements if ".whl" in line]
    assert [line.partition(" @ ")[0] for line in lines] == ["other", "mine"]
    assert all(line.endswith(".whl") and "file:///" in line for line in lines)


def test_wheels_of_new_style_bentos_lie_beside_the_source(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DESCRIBED / "1.4.39", tmp_path / "new"))
    (folder / "src/wheels").mkdir(parents=True)
    (folder / "src/wheels/mine-1.0-py3-none-any.whl").touch()
    (folder / "env/python/requirements.txt").write_text("./wheels/mine-1.0-py3-none-any.whl\nbentoml==1.4.39\n")

    assert wanted(folder).requirements[0].startswith("mine @ file:///")


def test_without_files_the_description_holds_the_list(tmp_path: Path) -> None:
    shutil.copy(DESCRIBED / "1.4.39" / "bento.yaml", tmp_path)

    assert wanted(tmp_path).requirements == ("pyyaml", "bentoml==1.4.39")


def test_a_bento_that_asks_for_nothing_gets_its_bentoml(old: Path) -> None:
    shutil.rmtree(old / "env")
    bento = describe(old)

    found = wanted_by(old, replace(bento, packages=replace(bento.packages, conda=())))
    assert found.requirements == ("bentoml==1.1.11", "setuptools<81")


def test_a_file_outside_the_bento_is_refused(old: Path) -> None:
    (old / "env/python/requirements.txt").write_text("-r /etc/requirements.txt\n")

    with pytest.raises(BadRequirements, match="no file of the same folder"):
        wanted(old)


def test_nothing_of_ours_is_kept_out_of_a_bentos_list(old: Path) -> None:
    (old / "env/python/requirements.txt").write_text("seldon-core\n")

    assert "seldon-core" in to_install(wanted(old))


def missing(version: str) -> tuple[str, ...]:
    bento: Description = describe(DESCRIBED / version)
    return only_in_an_image(bento.image)


def test_what_only_an_image_has_is_told() -> None:
    assert missing("1.1.11") == (
        "the system packages libgomp1 are not installed here",
        "the setup script ./setup.sh is not run here",
        "conda is not used here; it would install libgomp",
    )


def test_what_every_image_begins_with_is_no_loss() -> None:
    first, second = missing("1.4.39")

    assert "libgomp1" in first
    assert "env/docker/script__" in second
