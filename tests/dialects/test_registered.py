from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.registered import registry_env

_URL, _TOKEN = "FAIRLEAD_REGISTRY_URL", "FAIRLEAD_REGISTRY_TOKEN"


def test_whoever_fetches_from_the_registry_is_told_where_it_is_and_reads_a_token_of_its_own_namespace() -> None:
    env = registry_env(ClusterSettings(namespace="ops"), ["s3://bucket/model", "fairlead://iris:v1"])

    reference = {"name": "fairlead-registry-token", "key": _TOKEN, "optional": True}
    assert env == [
        {"name": _URL, "value": "http://fairlead-registry.ops.svc.cluster.local"},
        {"name": _TOKEN, "valueFrom": {"secretKeyRef": reference}},
    ]


def test_values_name_another_registry_and_another_secret() -> None:
    values = {"registry": {"url": "https://models.example.com", "tokenSecret": "team-a"}}

    env = registry_env(ClusterSettings(values=values), ["fairlead://iris"])

    assert (env[0]["value"], env[1]["valueFrom"]["secretKeyRef"]["name"]) == ("https://models.example.com", "team-a")


def test_who_fetches_elsewhere_is_told_nothing() -> None:
    assert registry_env(ClusterSettings(), ["s3://bucket/model"]) == []
