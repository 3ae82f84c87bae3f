"""What an image of a model or of a class is made of."""

import zipfile
from pathlib import Path

import pytest

from fairlead.images.contexts.dockerfile import PackageIndex
from fairlead.images.contexts.own_wheel import libraries, pins, write_wheel
from fairlead.images.contexts.served import BASE, Served, lay_out_served
from fairlead.images.failures import BuildFailed


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.joblib").write_bytes(b"x")
    return folder


@pytest.fixture(autouse=True)
def small_wheel(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """All of the package is compressed once, in the test of the wheel itself."""
    if "wheel" not in request.node.name:
        empty = lambda folder: _touched(folder / "fairlead-1-py3-none-any.whl")  # noqa: E731
        monkeypatch.setattr("fairlead.images.contexts.served.write_wheel", empty)


def _touched(path: Path) -> Path:
    path.touch()
    return path


def dockerfile(folder: Path) -> list[str]:
    return (folder / "Dockerfile").read_text().splitlines()


def test_a_model_is_served_as_a_user_without_rights(model: Path, tmp_path: Path) -> None:
    served = Served(folder=model, format="sklearn", name="iris", env={"PRICE": "5$ a $piece"})
    lay_out_served(served, tmp_path / "context")
    lines = dockerfile(tmp_path / "context")

    assert lines[0] == f"FROM {BASE} AS build"
    assert "COPY content /mnt/models" in lines
    assert "USER 8888:8888" in lines
    assert 'ENV PRICE="5\\$ a \\$piece"' in lines
    assert lines[-2:] == [
        'ENTRYPOINT ["fairlead"]',
        'CMD ["model-server", "--format", "sklearn", "--model_name", "iris", "--model_dir", "/mnt/models"]',
    ]


def test_a_model_without_a_list_gets_what_is_installed_here(model: Path, tmp_path: Path) -> None:
    lay_out_served(Served(folder=model, format="sklearn"), tmp_path / "context")

    pinned = (tmp_path / "context/install/constraints.txt").read_text().splitlines()

    assert any(line.startswith("numpy==") for line in pinned)
    assert any(line.lower().startswith("scikit-learn==") for line in pinned)
    assert (tmp_path / "context/install/requirements.txt").read_text() == ""
    assert any('"/install/fairlead-1-py3-none-any.whl[sklearn]"' in line for line in dockerfile(tmp_path / "context"))


def test_a_models_own_list_comes_before_ours(model: Path, tmp_path: Path) -> None:
    (model / "requirements.txt").write_text(
        "scikit-learn==1.5.2\nseldon-core\nown @ file:own.whl\n./own-1-py3-none-any.whl\n"
    )
    (model / "own-1-py3-none-any.whl").write_bytes(b"wheel")
    (model / "requirements.txt").write_text("scikit-learn==1.5.2\nseldon-core\n./own-1-py3-none-any.whl\n")
    lay_out_served(Served(folder=model, format="sklearn"), tmp_path / "context")
    install = tmp_path / "context/install"

    asked = (install / "requirements.txt").read_text().splitlines()

    assert asked[:2] == ["scikit-learn==1.5.2", "own @ file:///install/wheels/own-1-py3-none-any.whl"]
    assert {"joblib", "pandas", "scikit-learn"} <= set(asked)
    assert (install / "wheels/own-1-py3-none-any.whl").read_bytes() == b"wheel"
    assert (install / "constraints.txt").read_text() == ""


def test_on_an_image_with_fairlead_nothing_is_installed_but_the_models_own_list(model: Path, tmp_path: Path) -> None:
    served = Served(folder=model, format="sklearn", has_fairlead=True)
    lay_out_served(served, tmp_path / "one", base="registry.example/fairlead:1")
    (model / "requirements.txt").write_text("cowsay==6.1\n")
    lay_out_served(served, tmp_path / "two", base="registry.example/fairlead:1")

    assert [line for line in dockerfile(tmp_path / "one") if line.startswith(("FROM", "RUN"))] == [
        "FROM registry.example/fairlead:1"
    ]
    assert (tmp_path / "two/install/requirements.txt").read_text() == "cowsay==6.1\n"
    assert not list((tmp_path / "two/install").glob("*.whl"))


def test_a_class_is_served_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/Doubler.py").write_text("class Doubler: ...\n")
    lay_out_served(Served(folder=tmp_path / "code", target="Doubler", packages=("git",)), tmp_path / "context")
    lines = dockerfile(tmp_path / "context")

    assert "WORKDIR /code" in lines
    assert lines[-1] == 'CMD ["serve", "Doubler"]'
    assert any("apt-get install -y -qq --no-install-recommends git" in line for line in lines)


def test_a_password_of_an_index_is_nowhere_in_the_context(model: Path, tmp_path: Path) -> None:
    index = PackageIndex(url="https://me:hush-hush@index.example/simple")

    context = lay_out_served(Served(folder=model, format="sklearn"), tmp_path / "context", index=index)

    everything = b"".join(path.read_bytes() for path in (tmp_path / "context").rglob("*") if path.is_file())
    assert b"hush-hush" not in everything
    assert dict(context.build_args) == {}
    assert "hush-hush" in context.files["fairlead-pip"]


def test_a_models_link_to_somewhere_else_is_refused(model: Path, tmp_path: Path) -> None:
    (model / "passwd").symlink_to("/etc/passwd")

    with pytest.raises(BuildFailed, match="passwd is a link"):
        lay_out_served(Served(folder=model, format="sklearn"), tmp_path / "context")


@pytest.mark.slow(3)
def test_the_wheel_of_this_package_is_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    first, second = write_wheel(tmp_path / "a"), write_wheel(tmp_path / "b")

    assert first.read_bytes() == second.read_bytes()
    names = zipfile.ZipFile(first).namelist()
    assert {"fairlead/py.typed", "fairlead/cli/app.py"} <= set(names)
    assert not any(name.endswith(".pyc") for name in names)
    assert any(name.endswith(".dist-info/RECORD") for name in names)


def test_versions_of_what_an_extra_needs_are_those_that_are_here() -> None:
    pinned = {line.partition("==")[0].lower() for line in pins("sklearn")}

    assert {"numpy", "scikit-learn", "scipy", "joblib"} <= pinned
    assert "fairlead" not in pinned
    assert libraries("sklearn") == ["joblib", "pandas", "scikit-learn"]
