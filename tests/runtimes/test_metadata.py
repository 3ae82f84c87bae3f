from pathlib import Path
from typing import Any

import pytest

from fairlead.runtimes.failures import BadMetadata
from fairlead.runtimes.metadata import default_metadata, metadata_problems, read_metadata, served_metadata, split_image
from support.units import unit

VALID: dict[str, Any] = {
    "name": "n",
    "versions": ["v1"],
    "platform": "p",
    "inputs": [],
    "outputs": [],
    "custom": {"owner": "us"},
}


def problems(**changes: Any) -> list[str]:
    return metadata_problems(VALID | changes)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("seldonio/sklearnserver:1.11.0", ("seldonio/sklearnserver", "1.11.0")),
        ("localhost:5000/model", ("localhost:5000/model", "")),
        ("localhost:5000/model:2", ("localhost:5000/model", "2")),
        ("model", ("model", "")),
        ("", ("", "")),
    ],
)
def test_an_image_splits_into_name_and_tag(image: str, expected: tuple[str, str]) -> None:
    assert split_image(image) == expected


def test_a_unit_is_described_by_its_image() -> None:
    assert default_metadata(unit(image="seldonio/sklearnserver:1.11.0")) == {
        "name": "seldonio/sklearnserver",
        "versions": ["1.11.0"],
        "platform": "",
        "inputs": [],
        "outputs": [],
        "custom": {},
    }


def test_code_says_more_and_the_environment_has_the_last_word() -> None:
    env = {"MODEL_METADATA": "name: from-env\nversions: [e1]\n"}

    give = served_metadata(unit(image="i:1"), lambda: {"name": "from-code", "platform": "seldon"}, env)

    assert give() == default_metadata(unit(image="i:1")) | {
        "name": "from-env",
        "versions": ["e1"],
        "platform": "seldon",
    }


@pytest.mark.parametrize("env", [{"MODEL_METADATA": "name: [1"}, {"MODEL_METADATA": "just text"}])
def test_an_environment_that_cannot_be_read_makes_metadata_unavailable(env: dict[str, str]) -> None:
    with pytest.raises(BadMetadata):
        served_metadata(unit(), None, env)()


def test_code_that_raises_makes_metadata_unavailable() -> None:
    def failing() -> Any:
        raise KeyError("x")

    with pytest.raises(BadMetadata):
        served_metadata(unit(), failing, {})()


@pytest.mark.parametrize(
    "item",
    [
        {"messagetype": "tensor", "schema": {"names": ["a"], "shape": [1]}},
        {"messagetype": "ndarray", "schema": {"names": ["a"], "shape": [1, 2]}},
        {"messagetype": "tftensor", "schema": {"names": [], "shape": []}},
        {"messagetype": "jsonData", "schema": {"type": "object"}},
        {"messagetype": "strData"},
        {"messagetype": "binData"},
        {"messagetype": "custom-thing", "schema": {}},
        {"name": "x", "datatype": "BYTES", "shape": [1]},
        {"name": "x", "datatype": "UINT8", "shape": [-1, 3]},
    ],
)
def test_every_shape_of_input_the_schema_knows_is_valid(item: dict[str, Any]) -> None:
    assert problems(inputs=[item], outputs=[item]) == []


@pytest.mark.parametrize(
    "item",
    [
        "text",
        {},
        {"messagetype": 1},
        {"messagetype": "tensor"},
        {"messagetype": "tensor", "schema": {"names": [1], "shape": [1]}},
        {"messagetype": "tensor", "schema": {"names": ["a"], "shape": ["1"]}},
        {"messagetype": "tensor", "schema": {"names": ["a"], "other": 1}},
        {"messagetype": "jsonData", "schema": "text"},
        {"messagetype": "strData", "schema": {}},
        {"name": "x", "datatype": "FLOAT", "shape": [1]},
        {"name": "x", "datatype": "FP32"},
        {"name": 1, "datatype": "FP32", "shape": [1]},
        {"name": "x", "datatype": "FP32", "shape": 1},
        {"name": "x", "datatype": "FP32", "shape": [1], "more": 1},
    ],
)
def test_any_other_input_is_a_problem_with_its_place(item: Any) -> None:
    (problem,) = problems(outputs=[{"messagetype": "strData"}, item])

    assert problem.startswith("outputs[1] ")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 1},
        {"platform": None},
        {"versions": "v1"},
        {"versions": [1.0]},
        {"custom": {"a": 1}},
        {"custom": []},
        {"inputs": {}},
        {"other": 1},
    ],
)
def test_each_key_has_its_type(changes: dict[str, Any]) -> None:
    assert len(problems(**changes)) == 1


def test_the_file_beside_a_model_is_read(tmp_path: Path) -> None:
    assert read_metadata(None) == {}
    assert read_metadata(tmp_path) == {}

    (tmp_path / "metadata.yaml").write_text("name: iris\nversions: [v1]\n")

    assert read_metadata(tmp_path) == {"name": "iris", "versions": ["v1"]}


def test_a_file_that_holds_no_map_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metadata.yaml").write_text("- 1\n")

    with pytest.raises(TypeError, match=r"metadata\.yaml must hold a map, not list"):
        read_metadata(tmp_path)
