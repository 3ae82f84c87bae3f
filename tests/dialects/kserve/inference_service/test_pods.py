from typing import Any

import pytest

from fairlead.dialects.kserve.config import ExplainerConfig
from fairlead.dialects.kserve.inference_service.injected import art_container
from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.errors import InvalidManifest
from support.isvc import container, isvc, lowered, model, unit_of

RUNTIME: dict[str, Any] = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "ServingRuntime",
    "metadata": {"name": "mine", "namespace": "models"},
    "spec": {
        "supportedModelFormats": [{"name": "sklearn", "autoSelect": True}],
        "labels": {"from": "runtime", "tier": "runtime"},
        "containers": [
            {
                "name": "kserve-container",
                "image": "kserve/sklearnserver:v1",
                "args": ["--model_name={{.Name}}-{{.Namespace}}"],
                "env": [{"name": "A", "value": "1"}],
                "resources": {"limits": {"cpu": "2", "memory": "1Gi"}},
            }
        ],
    },
}


def runtime(**container: Any) -> dict[str, Any]:
    spec = {**RUNTIME["spec"], "containers": [{**RUNTIME["spec"]["containers"][0], **container}]}
    return {**RUNTIME, "spec": spec}


def test_a_models_own_fields_go_over_its_runtimes() -> None:
    fields: dict[str, Any] = {"env": [{"name": "B", "value": "2"}], "resources": {"limits": {"memory": "3Gi"}}}
    unit = unit_of(isvc(model(**fields)), RUNTIME)

    assert unit.name == "iris-models"
    assert unit.image == "kserve/sklearnserver:v1"
    assert {one.name: one.value for one in unit.env} == {"A": "1", "B": "2", "INFERENCE_SERVICE_NAME": "iris"}
    assert unit.resources.cpu_limit == 2
    assert unit.resources.memory_limit_bytes == 3 * 2**30


def test_labels_of_the_component_win_over_the_services_and_those_over_the_runtimes() -> None:
    doc = isvc({**model(), "labels": {"tier": "component"}}, labels={"tier": "service", "team": "a"})

    assert dict(lowered(doc, RUNTIME)[0].labels) == {
        "from": "runtime",
        "tier": "component",
        "team": "a",
        "serving.kserve.io/inferenceservice": "iris",
        "component": "predictor",
    }


def test_a_template_that_is_not_understood_is_refused_in_the_controllers_words() -> None:
    with pytest.raises(
        InvalidManifest, match="failed to replace placeholders in serving runtime mine Container kserve"
    ):
        lowered(isvc(model()), runtime(args=["{{ range .Name }}"]))


def test_a_runtime_without_its_container_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="failed to find kserve-container in ServingRuntime containers"):
        lowered(isvc(model()), runtime(name="other"))


def test_the_first_container_predicts_when_none_has_the_name() -> None:
    predictor = {"containers": [{"name": "mine", "image": "a/b"}, {"name": "helper", "image": "c/d"}]}
    component, warnings = lowered(isvc(predictor))

    assert [unit.image for unit in component.revision.units] == ["a/b"]
    assert warnings == ["spec.predictor.containers[1]: helper is not run: sidecars need a pod"]


def test_what_only_a_cluster_has_is_named() -> None:
    predictor = {**model(), "nodeSelector": {"a": "b"}, "tolerations": [{"key": "x"}], "affinity": {"nodeAffinity": {}}}
    warnings = lowered(isvc(predictor))[1]

    assert [text.split(" is not used")[0] for text in warnings] == [
        "spec.predictor.nodeSelector",
        "spec.predictor.affinity",
        "spec.predictor.tolerations",
    ]


def test_an_encrypted_model_is_warned_of() -> None:
    (warning,) = lowered(isvc(model(confidential={"enabled": True})))[1]

    assert warning == "spec.predictor.model.confidential is not used: there is nothing to decrypt a model with"


def test_transformers_and_explainers_are_told_who_predicts() -> None:
    doc = isvc(model(), transformer={**container(), "containerConcurrency": 3}, explainer=container())
    transformer, explainer = (unit_of(doc, role=role) for role in ("transformer", "explainer"))

    assert transformer.container is not None
    assert transformer.container.args == (
        *("--model_name", "iris"),
        *("--predictor_host", "iris-predictor.models"),
        *("--http_port", "8080"),
        *("--workers", "3"),
    )
    assert transformer.upstream is not None
    assert (transformer.upstream.host, transformer.upstream.protocol) == ("iris-predictor.models", "v1")
    assert transformer.upstream.is_inside
    assert explainer.upstream is not None


def test_what_is_written_on_a_command_line_stays() -> None:
    args = ["--predictor_host=elsewhere:81", "--predictor_protocol=v2", "--predictor_use_ssl=true", "--model_name=a"]
    unit = unit_of(isvc(model(), transformer=container(args=args)), role="transformer")

    assert unit.name == "a"
    assert unit.upstream is not None
    assert (unit.upstream.host, unit.upstream.protocol, unit.upstream.is_tls) == ("elsewhere:81", "v2", True)
    assert not unit.upstream.is_inside
    assert unit.container is not None
    assert unit.container.args == (*args, "--http_port", "8080")


def test_the_toolboxs_explainer_gets_its_configuration_as_flags() -> None:
    art = {"type": "SquareAttack", "config": {"nb_classes": "10", "max_iter": "5"}, "runtimeVersion": "v2"}
    template = ComponentTemplate(namespace="models", service="iris", role="explainer", spec={"art": art})
    container = art_container(template, ExplainerConfig())

    assert container["image"] == "kserve/art-explainer:v2"
    assert container["args"] == [
        *("--model_name", "iris"),
        *("--http_port", "8080"),
        *("--predictor_host", "iris-predictor.models"),
        *("--adversary_type", "SquareAttack"),
        *("--max_iter", "5"),
        *("--nb_classes", "10"),
    ]
