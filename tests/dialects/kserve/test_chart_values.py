"""The values of KServe's chart, as the settings that services are laid out by."""

import json

from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve.chart_values import FIELDS, with_values
from fairlead.dialects.kserve.cluster_settings import cluster_config
from fairlead.dialects.kserve.config import InferenceServiceConfig


def test_values_become_fields_of_their_sections_and_the_rest_stays() -> None:
    gateway = {"domain": "models.example.com", "ingressGateway": {"enableGatewayApi": True}}
    settings = ClusterSettings(values={"kserve": {"controller": {"gateway": gateway}, "agent": {"image": "a"}}})
    plain = cluster_config(ClusterSettings())

    data = cluster_config(settings)

    ingress = json.loads(data["ingress"])
    assert ingress == {
        **json.loads(plain["ingress"]),
        "ingressDomain": "models.example.com",
        "enableGatewayApi": True,
    }
    assert json.loads(data["agent"])["image"] == "a"
    assert {key: data[key] for key in plain if key not in ("ingress", "agent")} == {
        key: text for key, text in plain.items() if key not in ("ingress", "agent")
    }


def test_an_image_gets_its_tag_and_a_tag_alone_means_nothing() -> None:
    settings = ClusterSettings(values={"kserve": {"storage": {"image": "r/s", "tag": "1"}, "router": {"tag": "2"}}})

    assert with_values({}, settings) == {"storageInitializer": '{"image": "r/s:1"}'}


def test_deep_fields_leave_their_neighbours_alone() -> None:
    settings = ClusterSettings(values={"kserve": {"storage": {"s3": {"region": "eu"}}}})

    data = with_values({"credentials": '{"s3": {"s3Endpoint": "e"}, "gcs": {}}'}, settings)

    assert json.loads(data["credentials"]) == {"s3": {"s3Endpoint": "e", "s3Region": "eu"}, "gcs": {}}


def test_every_field_is_one_that_is_read() -> None:
    known = {info.alias or name for name, info in InferenceServiceConfig.model_fields.items()}

    assert {field.partition(".")[0] for field in FIELDS} <= known
