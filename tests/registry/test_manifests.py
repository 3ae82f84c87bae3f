"""What is read in manifests, of whichever version of BentoML."""

import json

import pytest

from fairlead.errors import BadRequest
from fairlead.registry.manifests import Facts, read


def test_models_are_named_as_text_or_in_services() -> None:
    old = {"models": ["iris:v1", "iris:v1", "no-version"], "size_bytes": 5, "module": "bentoml.sklearn"}
    new = {"services": [{"models": [{"tag": "llm:abc", "module": ""}]}, {"models": None}], "models": []}

    assert read(json.dumps(old)) == Facts(module="bentoml.sklearn", size_bytes=5, models=(("iris", "v1"),))
    assert read(json.dumps(new)).models == (("llm", "abc"),)


@pytest.mark.parametrize(("registry", "is_elsewhere"), [("huggingface", True), ("bentoml", False), ("", False)])
def test_a_model_of_another_registry_is_never_uploaded(registry: str, is_elsewhere: bool) -> None:
    assert read(json.dumps({"metadata": {"registry": registry}})).is_elsewhere is is_elsewhere


@pytest.mark.parametrize("manifest", ["null", "[]", "3", '{"models": {}, "size_bytes": true, "metadata": []}'])
def test_other_shapes_say_nothing(manifest: str) -> None:
    assert read(manifest) == Facts()


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(BadRequest, match="not JSON"):
        read("{")
