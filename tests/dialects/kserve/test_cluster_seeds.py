"""What an installation in a cluster starts with."""

import json

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.given import GivenWorld
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.kserve.config import read_config
from fairlead.dialects.kserve.site import site_of
from support.isvc import isvc, model

SETTINGS = ClusterSettings(image="fairlead:2", namespace="serving")


def test_settings_are_in_the_operators_namespace_with_every_section_of_kserves() -> None:
    settings, *_ = KServeDialect(settings=SETTINGS).seeds()

    assert (settings["metadata"]["name"], settings["metadata"]["namespace"]) == ("inferenceservice-config", "serving")
    sections = """
        agent autoscaler batcher credentials deploy explainers inferenceService ingress localModel logger
        metricsAggregator multiNode opentelemetryCollector router security service storageInitializer
    """
    assert set(settings["data"]) == set(sections.split())
    assert json.loads(settings["data"]["storageInitializer"])["memoryLimit"] == "1Gi"


def test_every_seed_is_accepted_by_its_own_rules() -> None:
    dialect = KServeDialect(settings=SETTINGS)
    kinds = {kind.kind for kind in dialect.kinds}

    for seed in dialect.seeds():
        if seed["kind"] in kinds:
            assert dialect.prune(seed) == seed
            dialect.validate(seed, catalog=Catalog(), world=GivenWorld(dialect.seeds()))


def test_a_model_runs_in_our_image_by_the_seeds_alone() -> None:
    dialect = KServeDialect(settings=SETTINGS)
    world = GivenWorld(dialect.seeds())

    layout = dialect.lay_out(isvc(model()), settings=SETTINGS, catalog=Catalog(), world=world)

    (workload,) = layout.workloads
    assert workload.pod.own == {"kserve-container", "storage-initializer"}


def test_defaults_are_those_of_the_cluster() -> None:
    doc = {**isvc(model()), "metadata": {"name": "iris", "namespace": "models"}}

    standard = KServeDialect(settings=SETTINGS).default(doc)
    knative = KServeDialect(settings=ClusterSettings(has_knative=True)).default(doc)

    assert standard["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    assert "serving.kserve.io/deploymentMode" not in knative["metadata"]["annotations"]


def test_settings_are_read_where_kserve_has_them_before_the_operators_namespace() -> None:
    def stored(namespace: str, domain: str) -> dict[str, object]:
        text = json.dumps({"ingressDomain": domain, "ingressGateway": "a/b"})
        metadata = {"name": "inferenceservice-config", "namespace": namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ingress": text}}

    ours, theirs = stored("serving", "ours.example"), stored("kserve", "theirs.example")

    assert site_of(SETTINGS, GivenWorld([ours])).config.ingress.ingress_domain == "ours.example"
    assert site_of(SETTINGS, GivenWorld([ours, theirs])).config.ingress.ingress_domain == "theirs.example"


def test_what_a_stored_section_lacks_is_shipped() -> None:
    config = {"name": "inferenceservice-config", "namespace": "kserve"}
    stored = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": config, "data": {"localModel": '{"enabled": true}'}}

    site = site_of(SETTINGS, GivenWorld([stored]))

    assert site.config.local_model.enabled
    assert site.config.default_mode == "Standard"
    assert read_config(site.world) == site.config
