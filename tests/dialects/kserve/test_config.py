import json
from typing import Any

import pytest

from fairlead.dialects.base import ALONE
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.kserve.autoscaler_config import (
    AutoscalerConfig,
    read_autoscaler_config,
    shipped_autoscaler_config,
)
from fairlead.dialects.kserve.config import InferenceServiceConfig, read_config
from fairlead.errors import ConfigError, InvalidManifest
from support.stored_docs import DocumentWorld


def config_map(namespace: str, name: str, data: dict[str, str]) -> DocumentWorld:
    return DocumentWorld([{"kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}])


def kserve(**sections: Any) -> InferenceServiceConfig:
    data = {key: value if isinstance(value, str) else json.dumps(value) for key, value in sections.items()}
    return read_config(config_map("kserve", "inferenceservice-config", data))


def knative(**settings: str) -> AutoscalerConfig:
    data = {key.replace("_", "-"): text for key, text in settings.items()}
    return read_autoscaler_config(config_map("knative-serving", "config-autoscaler", data))


def test_without_config_maps_the_shipped_values_hold() -> None:
    config = read_config(ALONE)

    assert (config.default_mode, config.ingress.ingress_domain, config.ingress.url_scheme) == (
        "Knative",
        "example.com",
        "http",
    )
    assert config.inference_service.resource.memory_limit == "2Gi"
    assert read_autoscaler_config(ALONE) == AutoscalerConfig()


def test_what_is_seeded_reads_as_the_shipped_values_with_the_installations_domain() -> None:
    world = DocumentWorld(KServeDialect(domain="models.lan").seeds())

    assert read_config(world).ingress.ingress_domain == "models.lan"
    assert read_config(world).model_copy(update={"ingress": None}) == read_config(ALONE).model_copy(
        update={"ingress": None}
    )
    assert read_autoscaler_config(world) == AutoscalerConfig()


def test_a_key_that_is_absent_means_its_shipped_value() -> None:
    config = kserve(deploy={"defaultDeploymentMode": "RawDeployment"}, localModel={"enabled": True}, other="no JSON")

    assert (config.default_mode, config.local_model.enabled) == ("Standard", True)
    assert config.logger.default_url == "http://default-broker"


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"deploy": {}}, "invalid deploy config, defaultDeploymentMode is required"),
        (
            {"deploy": {"defaultDeploymentMode": "Fast"}},
            "invalid deployment mode. Supported modes are Knative, Standard and ModelMesh",
        ),
        ({"deploy": "{"}, "unable to parse deploy config json: Expecting property name"),
        ({"ingress": {"ingressDomain": 3}}, "unable to parse ingress config json: ingressDomain: "),
        ({"ingress": {}}, "invalid ingress config - ingressGateway is required"),
        (
            {"ingress": {"ingressGateway": "a/b", "ingressDomain": "", "pathTemplate": "/x"}},
            "invalid ingress config - ingressDomain is required if pathTemplate is given",
        ),
    ],
)
def test_a_bad_setting_says_what_is_wrong(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kserve(**sections)

    assert str(caught.value).startswith(said)


def test_every_setting_of_the_autoscaler_is_read() -> None:
    config = knative(
        container_concurrency_target_percentage="0.5",
        container_concurrency_target_default="10",
        requests_per_second_target_default="20",
        target_burst_capacity="-1",
        stable_window="2m",
        panic_window_percentage="20",
        panic_threshold_percentage="300",
        max_scale_up_rate="10",
        max_scale_down_rate="3",
        enable_scale_to_zero="False",
        scale_to_zero_grace_period="1m",
        scale_to_zero_pod_retention_period="5s",
        scale_down_delay="10s",
        initial_scale="0",
        allow_zero_initial_scale="true",
        min_scale="1",
        max_scale="4",
        max_scale_limit="8",
        unknown="ignored",
    )

    assert config == AutoscalerConfig(
        target_utilization=0.5,
        container_concurrency_target_default=10,
        requests_per_second_target_default=20,
        target_burst_capacity=-1,
        stable_window_s=120,
        panic_window_percentage=20,
        panic_threshold_percentage=300,
        max_scale_up_rate=10,
        max_scale_down_rate=3,
        enable_scale_to_zero=False,
        scale_to_zero_grace_period_s=60,
        scale_to_zero_pod_retention_period_s=5,
        scale_down_delay_s=10,
        initial_scale=0,
        allow_zero_initial_scale=True,
        min_scale=1,
        max_scale=4,
        max_scale_limit=8,
    )


def test_the_shipped_autoscaler_settings_have_every_field() -> None:
    assert len(shipped_autoscaler_config()) == len(AutoscalerConfig.__dataclass_fields__)


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("stable-window", "5s", "stable-window = 5s, must be in [6s; 1h0m0s] range"),
        ("stable-window", "soon", "failed to parse \"stable-window\": 'soon' is not a duration"),
        (
            "enable-scale-to-zero",
            "maybe",
            "failed to parse \"enable-scale-to-zero\": 'maybe' is neither true nor false",
        ),
        ("max-scale", "x", 'failed to parse "max-scale": '),
        ("max-scale", "-1", "min-scale, max-scale and max-scale-limit must be at least 0"),
        ("max-scale-up-rate", "1", "max-scale-up-rate = 1, must be greater than 1.0"),
        ("max-scale-down-rate", "nan", "failed to parse \"max-scale-down-rate\": 'nan' is not a finite number"),
        ("scale-to-zero-grace-period", "1s", "scale-to-zero-grace-period must be at least 6s, was: 1s"),
        (
            "container-concurrency-target-percentage",
            "0",
            "container-concurrency-target-percentage = 0.0000",
        ),
        ("target-burst-capacity", "-3", "target-burst-capacity must be either non-negative or -1 (for unlimited)"),
        ("panic-window-percentage", "0", "panic-window-percentage = 0, must be in [1; 100] interval"),
        ("panic-threshold-percentage", "1", "panic-threshold-percentage = 1, must be in [110; 1000] interval"),
        ("initial-scale", "0", "initial-scale = 0, must be at least 0"),
        ("scale-down-delay", "2h", "scale-down-delay = 2h0m0s, must be in [0s; 1h0m0s] range"),
    ],
)
def test_a_bad_setting_of_the_autoscaler_says_what_is_wrong(key: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        knative(**{key: text})

    assert str(caught.value).startswith(said)


def test_settings_that_were_deleted_leave_the_names_of_services_as_they_are() -> None:
    doc = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://m/iris"}}},
    }
    dialect = KServeDialect(domain="models.lan")
    runtimes = DocumentWorld([seed for seed in dialect.seeds() if seed["kind"] != "ConfigMap"])

    plan = dialect.lower(doc, catalog=Catalog(), world=runtimes)

    assert plan.routes[0].host == "iris.default.models.lan"


@pytest.mark.parametrize(
    ("namespace", "name", "data", "said"),
    [
        ("kserve", "inferenceservice-config", {"ingress": "{"}, "unable to parse ingress config json: "),
        ("knative-serving", "config-autoscaler", {"stable-window": "soon"}, 'failed to parse "stable-window": '),
    ],
)
def test_settings_that_cannot_be_read_are_refused_with_their_place(
    namespace: str, name: str, data: dict[str, str], said: str
) -> None:
    doc = {"kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}

    with pytest.raises(InvalidManifest, match=f"^data: {said}"):
        KServeDialect().check_settings(doc)

    KServeDialect().check_settings({**doc, "metadata": {"name": name, "namespace": "default"}})
