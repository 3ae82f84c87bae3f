"""What a puller makes of its list, without a server."""

import json
from pathlib import Path

import pytest

from fairlead.pods.puller import wanted_in


def test_a_list_names_models_by_what_was_asked_for(tmp_path: Path) -> None:
    entry = {"modelName": "a", "modelSpec": {"storageUri": "s3://b/m", "framework": "sklearn", "memory": "1Gi"}}
    (tmp_path / "models.json").write_text(json.dumps([entry]))
    first = wanted_in(tmp_path)
    entry["modelSpec"] = {"storageUri": "s3://b/m", "framework": "sklearn", "memory": "2Gi"}
    (tmp_path / "models.json").write_text(json.dumps([entry]))
    second = wanted_in(tmp_path)

    assert first is not None
    assert second is not None
    assert first["a"].uri == second["a"].uri == "s3://b/m"
    assert first["a"].mark != second["a"].mark


def test_no_list_is_an_empty_one_and_a_broken_one_is_none(tmp_path: Path) -> None:
    assert wanted_in(tmp_path) == {}

    (tmp_path / "models.json").write_text("[")

    assert wanted_in(tmp_path) is None


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "", 7])
def test_a_name_that_is_a_path_is_left_out(tmp_path: Path, name: object) -> None:
    entry = {"modelName": name, "modelSpec": {"storageUri": "s3://b/m"}}
    (tmp_path / "models.json").write_text(json.dumps([entry]))

    assert wanted_in(tmp_path) == {}
