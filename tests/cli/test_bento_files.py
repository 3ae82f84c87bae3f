"""A bento that lies here stands for the manifest that serves it."""

import shutil
from pathlib import Path

import pytest
import yaml

from fairlead.cli.bento_files import is_one, manifest_of
from fairlead.cli.sources import read_all
from support.bento_files import EXPORTED, packed, unpacked

NEW = EXPORTED / "sums_new.bento"


def documents(place: Path) -> list[dict[str, object]]:
    return list(yaml.safe_load_all(manifest_of(str(place))))


def test_an_exported_bento_is_served_under_its_name_from_where_it_lies() -> None:
    request, deployment = documents(NEW)

    assert request == {
        "apiVersion": "resources.yatai.ai/v1alpha1",
        "kind": "BentoRequest",
        "metadata": {"name": "sums"},
        "spec": {"bentoTag": "sums:n3f6cohgdcvvoax4", "downloadUrl": NEW.as_uri(), "models": []},
    }
    assert deployment["metadata"] == {"name": "sums"}
    assert deployment["spec"] == {"bento": "sums"}


def test_a_folder_and_an_archive_of_any_kind_are_read_alike(tmp_path: Path) -> None:
    folder = unpacked("sums_new", tmp_path / "sums")
    whole = packed(folder, tmp_path / "plain.bento", mode="w:")
    zipped = Path(shutil.make_archive(str(tmp_path / "z"), "zip", folder)).rename(tmp_path / "zipped.bento")

    tags = [documents(place)[0]["spec"] for place in (folder, whole, zipped)]
    assert {spec["bentoTag"] for spec in tags} == {"sums:n3f6cohgdcvvoax4"}  # type: ignore[index]  # a mapping


def test_models_that_it_does_not_bring_come_from_bentomls_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpacked("sums_new", tmp_path / "sums")
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    kept = tmp_path / "home"
    (folder / "models").rename(tmp_path / "models")
    kept.mkdir()
    (tmp_path / "models").rename(kept / "models")
    (request, _) = documents(folder)

    (model,) = request["spec"]["models"]  # type: ignore[index]  # a mapping
    assert model["tag"].startswith("offset:")
    assert model["downloadUrl"] == (kept / "models" / model["tag"].replace(":", "/")).as_uri()


def test_what_is_a_bento_is_told_by_its_name_or_its_description(tmp_path: Path) -> None:
    assert is_one(str(NEW))
    assert is_one(str(unpacked("sums_old", tmp_path / "old")))
    assert not is_one(str(tmp_path))
    assert not is_one("nowhere.bento")


def test_the_name_is_one_that_kubernetes_accepts() -> None:
    (request, _) = documents(EXPORTED / "sums_old.bento")

    assert request["metadata"] == {"name": "sums-old"}


def test_commands_that_take_manifests_take_a_bento() -> None:
    (source,) = read_all([str(NEW)])

    assert source.name == str(NEW)
    assert "BentoDeployment" in source.text
