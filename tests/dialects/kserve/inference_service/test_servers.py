from typing import Any

import pytest

from fairlead.plan.model import Protocol
from support.isvc import isvc, lowered, model, unit_of


def parameters(doc: dict[str, Any]) -> dict[str, Any]:
    return {one.name: one.value for one in unit_of(doc).parameters}


@pytest.mark.parametrize(
    ("name", "fields", "runtime", "protocols"),
    [
        ("sklearn", {}, ("sklearn", "kserve"), [Protocol.V1, Protocol.V2]),
        ("sklearn", {"protocolVersion": "v2"}, ("sklearn", "mlserver"), [Protocol.V2]),
        (
            "sklearn",
            {"protocolVersion": "v2", "runtime": "kserve-sklearnserver"},
            ("sklearn", "kserve"),
            [Protocol.V2, Protocol.V1],
        ),
        ("xgboost", {}, ("xgboost", "kserve"), [Protocol.V1, Protocol.V2]),
        ("xgboost", {"protocolVersion": "v2"}, ("xgboost", "mlserver"), [Protocol.V2]),
        ("lightgbm", {}, ("lightgbm", "kserve"), [Protocol.V1, Protocol.V2]),
        ("lightgbm", {"protocolVersion": "v2"}, ("lightgbm", "mlserver"), [Protocol.V2]),
        ("xgboost", {"runtime": "kserve-predictiveserver"}, ("xgboost", "kserve"), [Protocol.V1, Protocol.V2]),
        ("mlflow", {"protocolVersion": "v2"}, ("mlflow", "mlserver"), [Protocol.V2]),
        ("tensorflow", {}, ("tensorflow", ""), [Protocol.TENSORFLOW]),
        ("onnx", {"protocolVersion": "v2"}, ("triton", ""), [Protocol.V2]),
        ("huggingface", {}, ("huggingface", "kserve"), [Protocol.V1, Protocol.V2]),
        ("pytorch", {}, ("pytorch", "torchserve"), [Protocol.V1, Protocol.V2]),
        ("vLLM", {"protocolVersion": "v2"}, ("huggingface", "vllm"), [Protocol.V2, Protocol.V1]),
    ],
)
def test_a_format_is_served_by_its_runtime_under_its_protocols(
    name: str, fields: dict[str, Any], runtime: tuple[str, str], protocols: list[Protocol]
) -> None:
    revision = lowered(isvc(model(name, **fields)))[0].revision

    assert (revision.units[0].runtime, revision.units[0].variant) == runtime
    assert [revision.protocol, *revision.also] == protocols


def test_a_model_is_called_as_its_service_unless_its_arguments_say_otherwise() -> None:
    assert unit_of(isvc(model())).name == "iris"
    assert unit_of(isvc(model(args=["--model_name=flowers"]))).name == "flowers"
    assert unit_of(isvc(model(args=["--model_name", "flowers"]))).name == "flowers"
    assert (
        unit_of(isvc(model("sklearn", protocolVersion="v2", env=[{"name": "MLSERVER_MODEL_NAME", "value": "a"}]))).name
        == "a"
    )


def test_flags_that_a_runtime_knows_become_its_parameters() -> None:
    assert parameters(isvc(model("xgboost", args=["--nthread=3"]))) == {"nthread": 3}
    assert parameters(isvc(model("huggingface", args=["--task=fill_mask", "--return_probabilities"]))) == {
        "task": "fill_mask",
        "return_probabilities": "true",
    }


def test_a_hub_name_as_the_model_is_fetched_from_there() -> None:
    doc = isvc({"model": {"modelFormat": {"name": "vLLM"}, "protocolVersion": "v2", "args": ["--model=org/small"]}})
    artifact = unit_of(doc).artifact

    assert parameters(doc) == {}
    assert artifact is not None
    assert artifact.uri == "hf://org/small"


def test_a_repository_and_its_revision_are_fetched_with_the_servers_own_token() -> None:
    secret = {"secretKeyRef": {"name": "hub", "key": "token"}}
    args = ["--model_name=org/small", "--model_id=org/small", "--model_revision=v2", "--dtype=float32"]
    env = [{"name": "HF_TOKEN", "valueFrom": secret}, {"name": "OTHER", "value": "1"}]
    doc = isvc({"model": {"modelFormat": {"name": "huggingface"}, "args": args, "env": env}})
    unit = unit_of(doc)

    assert unit.artifact is not None
    assert unit.artifact.uri == "hf://org/small:v2"
    assert [one.name for one in unit.artifact.init_env] == ["HF_TOKEN"]
    # The name has a slash in it, so it is the model's and not the unit's.
    assert unit.name == "iris"
    assert parameters(doc) == {"dtype": "float32", "served_model_name": "org/small"}


def test_a_model_that_is_fetched_already_is_not_looked_for_on_the_hub() -> None:
    artifact = unit_of(isvc(model("huggingface", args=["--model_id=org/small"]))).artifact

    assert artifact is not None
    assert artifact.uri == "gs://models/iris"


def test_flags_that_mean_nothing_are_named_and_ports_and_logging_are_not() -> None:
    warnings = lowered(isvc(model(args=["--workers=4", "--enable_docs_url=true", "--log_config_file=/a", "--zzz"])))[1]

    assert [text.split(" is not used")[0] for text in warnings] == [
        "spec.predictor.model.args: --workers",
        "spec.predictor.model.args: --log_config_file",
        "spec.predictor.model.args: --zzz",
    ]


def test_probabilities_are_asked_for_by_a_variable() -> None:
    unit = unit_of(isvc(model(env=[{"name": "PREDICT_PROBA", "value": "true"}])))

    assert {one.name: one.value for one in unit.env} == {"PREDICT_PROBA": "true", "INFERENCE_SERVICE_NAME": "iris"}


def test_a_folder_below_the_model_is_fetched_alone() -> None:
    artifact = unit_of(isvc(model(args=["--model_dir=/mnt/models/v3"]))).artifact

    assert artifact is not None
    assert (artifact.uri, artifact.mount) == ("gs://models/iris/v3", "/mnt/models/v3")


def test_a_folder_elsewhere_is_the_model_of_a_server_that_is_given_none() -> None:
    doc = isvc({"model": {"modelFormat": {"name": "sklearn"}, "args": ["--model_dir=s3://bucket/iris"]}})
    unit = unit_of(doc)

    assert unit.artifact is not None
    assert unit.artifact.uri == "s3://bucket/iris"
    assert not unit.holds_models


def test_a_server_without_a_model_is_for_the_models_of_others() -> None:
    unit = unit_of(isvc({"model": {"modelFormat": {"name": "sklearn"}}}))

    assert unit.holds_models
    assert unit.artifact is None


def test_models_make_room_for_each_other_when_the_service_says_so() -> None:
    doc = isvc({"model": {"modelFormat": {"name": "sklearn"}}}, annotations={"fairlead.dev/evict-models": "true"})

    assert parameters(doc) == {"evict_models": True}


def test_a_class_of_the_users_own_in_mlserver_is_found_by_its_settings() -> None:
    env = [{"name": "MLSERVER_MODEL_IMPLEMENTATION", "value": "mine.Model"}]
    unit = unit_of(isvc(model(protocolVersion="v2", env=env)))

    assert (unit.runtime, unit.variant, unit.code) == ("python", "mlserver", None)


@pytest.mark.parametrize("name", ["pmml", "paddle"])
def test_what_no_runtime_serves_runs_as_a_container_and_says_what_else_would_do(name: str) -> None:
    component, warnings = lowered(isvc(model(name)))

    assert component.revision.units[0].runtime == "container"
    assert "ONNX" in warnings[0]
    assert "Docker or Podman" in warnings[0]


def test_a_mirror_of_a_known_image_is_known() -> None:
    unit = unit_of(isvc(model(image="registry.example.com:5000/mirror/sklearnserver:v0.15")))

    assert (unit.runtime, unit.variant) == ("sklearn", "kserve")


def test_a_vllm_answers_openai_without_a_prefix() -> None:
    unit = unit_of(isvc(model("vLLM", protocolVersion="v2")))

    assert {one.name: one.value for one in unit.env}["KSERVE_OPENAI_ROUTE_PREFIX"] == ""
