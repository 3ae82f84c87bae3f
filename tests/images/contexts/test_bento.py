"""The context of a real bento, which bentoml 1.4 or 1.1 made."""

import tarfile
from pathlib import Path

import pytest

from fairlead.images.contexts.bento import lay_out_bento
from fairlead.images.contexts.dockerfile import PackageIndex
from fairlead.images.failures import BuildFailed
from support.doc_pages import ROOT

EXPORTED = ROOT / "tests/fixtures/bentos/tiny/exported"


def unpacked(name: str, folder: Path) -> Path:
    with tarfile.open(EXPORTED / f"{name}.bento") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize("name", ["sums_new", "sums_old"])
def test_its_own_dockerfile_is_used_on_another_base_and_index(name: str, tmp_path: Path) -> None:
    bento = unpacked(name, tmp_path / "bento")
    index = PackageIndex(url="https://index.example/simple")

    context = lay_out_bento(bento, {}, tmp_path / "context", base="base:1", index=index)

    text = context.dockerfile.read_text()
    assert context.dockerfile.relative_to(context.folder) == Path("env/docker/Dockerfile")
    assert "FROM base:1" in text
    assert "ARG PIP_INDEX_URL" in text
    assert dict(context.build_args)["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    lists = "".join(path.read_text() for path in (tmp_path / "context/env/python").glob("requirements*"))
    assert "--index-url" not in lists
    assert ("bentoml" in lists) == (name == "sums_new")


def test_models_from_elsewhere_are_put_where_the_bento_looks_for_them(tmp_path: Path) -> None:
    bento = unpacked("sums_new", tmp_path / "bento")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.yaml").write_text("name: other\n")

    lay_out_bento(bento, {"other:v2": tmp_path / "model"}, tmp_path / "context")

    assert (tmp_path / "context/models/other/v2/model.yaml").read_text() == "name: other\n"
    assert (tmp_path / "context/models/other/latest").read_text() == "v2"
    assert (tmp_path / "context/models/offset/latest").exists()


def test_a_bento_without_a_dockerfile_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bento.yaml").write_text("name: x\n")

    with pytest.raises(BuildFailed, match="no env/docker/Dockerfile"):
        lay_out_bento(tmp_path, {}, tmp_path / "context")
