"""`fairlead build`, as people, scripts and Jobs run it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.cli.app import run
from support.image_builders import DOCKERFILE, buildah_env, small_bento, stand_ins
from support.registry import Registry, registry


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as served:
        yield served


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in buildah_env(tmp_path).items():
        monkeypatch.setenv(name, value)


def build(*words: str) -> int:
    return run(["build", *words])


@pytest.mark.slow(6)
@pytest.mark.usefixtures("builder")
def test_a_bento_is_built_pushed_listed_and_found_again(
    place: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bento = small_bento(tmp_path / "bento")
    words = (str(bento), "-t", f"{place.host}/acme/sums:1", "--push", "--builder", "buildah")

    assert build(*words, "--label", "team=blue", "--sbom", str(tmp_path / "sbom.json")) == 0
    first = capsys.readouterr()
    assert build(*words, "--report", str(tmp_path / "report")) == 0
    second = capsys.readouterr()

    assert first.out == second.out
    assert first.out.startswith(f"{place.host}/acme/sums:1@sha256:")
    assert "RUN echo hello" in first.err
    assert "built by buildah" in first.err
    assert "is there already" in second.err
    assert json.loads((tmp_path / "sbom.json").read_text())["bomFormat"] == "CycloneDX"
    report = json.loads((tmp_path / "report").read_text())
    assert (report["image"], report["style"], report["services"]) == (f"{place.host}/acme/sums:1", "new", ["Sums"])


@pytest.mark.slow(2)
@pytest.mark.usefixtures("builder")
def test_a_job_that_would_fail_again_ends_with_a_code_of_its_own(
    place: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bento = small_bento(tmp_path / "bento", DOCKERFILE.replace("echo hello", "cat /nowhere"))
    words = ("--context", str(bento), "--image", f"{place.host}/acme/broken:1", "--push", "--builder", "buildah")

    assert build(*words) == 1
    assert build(*words, "--report", str(tmp_path / "report")) == 42
    assert "step 3/4: RUN cat /nowhere" in (tmp_path / "report").read_text()
    assert "step 3/4: RUN cat /nowhere" in capsys.readouterr().err


def test_without_a_builder_it_is_said_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bento = small_bento(tmp_path / "bento")
    for name, value in stand_ins(tmp_path, {}).items():
        monkeypatch.setenv(name, value)

    assert build(str(bento)) == 1
    assert "no builder of images works here (buildkit: no buildctl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{}", "--push"), "--push needs the name to push"),
        ((), "say what to build"),
        (("{}", "--context", "{}"), "say what to build"),
        (("{}", "--build-arg", "A"), "--build-arg 'A': write NAME=value"),
        (("{}", "--secret", "a=/no/where"), "--secret: /no/where: no such file"),
        (("{}", "--timeout", "soon"), "no duration"),
        (("No Such Thing",), "no name in a registry"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bento = small_bento(tmp_path / "bento")

    assert build(*(word.format(bento) for word in words)) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_a_model_or_a_class_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(str(tmp_path)) == 1
    assert "which class to run?" in capsys.readouterr().err


def test_a_time_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(os.environ, "SOURCE_DATE_EPOCH", "yesterday")

    assert build(str(small_bento(tmp_path / "bento"))) == 2
    assert "SOURCE_DATE_EPOCH" in capsys.readouterr().err
