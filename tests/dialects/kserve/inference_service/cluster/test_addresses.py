"""URLs of Standard mode, and where a service will be asked before it is there."""

import pytest

from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve.inference_service.cluster.addresses import expected_address
from fairlead.dialects.kserve.site import site_of
from fairlead.plan.layout import Routing
from support.isvc import Stored, container, isvc, model
from support.kserve_cluster import Cluster, deployment, route, settings_map

HEADLESS = settings_map(service='{"serviceClusterIPNone": true}')
STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}


def test_a_service_is_told_by_its_host_and_its_entry() -> None:
    doc = isvc(model(), transformer=container())
    objects = [deployment("iris-predictor"), deployment("iris-transformer")]

    status = Cluster().status(doc, *objects, *(route(name) for name in ("iris", "iris-predictor", "iris-transformer")))

    assert status["url"] == "http://iris-models.example.com"
    assert status["address"] == {"url": "http://iris-transformer.models.svc.cluster.local"}
    assert status["components"]["predictor"] == {"url": "http://iris-predictor-models.example.com"}


def test_a_named_predictor_is_found_by_its_service() -> None:
    doc = isvc({**model(), "name": "blue"})

    status = Cluster().status(doc, deployment("iris-blue-predictor"), route("iris"), route("iris-predictor"))

    assert status["address"] == {"url": "http://iris-blue-predictor.models.svc.cluster.local"}


def test_an_internal_service_is_told_by_its_address() -> None:
    doc = isvc(model(), labels={"networking.kserve.io/visibility": "cluster-local"})

    status = Cluster(ClusterSettings(cluster_domain="corp")).status(doc, deployment("iris-predictor"))

    assert status["url"] == "http://iris-predictor.models.svc.corp"


def test_a_headless_service_is_asked_at_the_pods_port() -> None:
    cluster = Cluster(stored=(HEADLESS,))

    status = cluster.status(isvc(model()), deployment("iris-predictor"), route("iris"), route("iris-predictor"))

    assert status["address"] == {"url": "http://iris-predictor.models.svc.cluster.local:8080"}


@pytest.mark.parametrize(
    ("settings", "annotations", "expected"),
    [
        (ClusterSettings(), {}, "http://iris-predictor.models.svc.cluster.local"),
        (ClusterSettings(has_knative=True), {}, "http://iris-predictor.models.svc.cluster.local"),
        (ClusterSettings(has_knative=True, routing=Routing.ISTIO), {}, "http://iris.models.svc.cluster.local"),
        (
            ClusterSettings(has_knative=True, routing=Routing.ISTIO),
            STANDARD,
            "http://iris-predictor.models.svc.cluster.local",
        ),
    ],
)
def test_where_a_service_will_be_follows_from_its_mode(
    settings: ClusterSettings, annotations: dict[str, str], expected: str
) -> None:
    doc = isvc(model(), annotations=annotations)

    assert expected_address(doc, site_of(settings, Stored())) == expected
