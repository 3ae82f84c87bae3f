"""What a cluster serves, and what the settings become by it."""

import pytest

from fairlead.backends.kubernetes.operator.discovery import Served, settings_here
from fairlead.backends.kubernetes.operator.resources import OWNED
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Routing


def served(*kinds: str) -> Served:
    return Served({one.key: one for one in OWNED if f"{one.group}/{one.kind}" in kinds})


def test_what_is_there_is_used() -> None:
    found = settings_here(ClusterSettings(), served("serving.knative.dev/Service", "keda.sh/ScaledObject"))

    assert (found.has_knative, found.has_keda) == (True, True)


def test_values_decide_otherwise() -> None:
    values = {"knative": {"enabled": False}, "keda": {"enabled": True}}

    found = settings_here(ClusterSettings(values=values), served("serving.knative.dev/Service"))

    assert (found.has_knative, found.has_keda) == (False, True)


@pytest.mark.parametrize(
    ("settings", "there", "routing"),
    [
        (ClusterSettings(), ["gateway.networking.k8s.io/HTTPRoute"], Routing.GATEWAY_API),
        (ClusterSettings(), [], Routing.NONE),
        (ClusterSettings(values={"routing": "gateway-api"}), [], Routing.GATEWAY_API),
        (ClusterSettings(routing=Routing.ISTIO), [], Routing.ISTIO),
    ],
)
def test_a_way_in_that_nobody_chose_and_that_is_not_there_is_none(
    settings: ClusterSettings, there: list[str], routing: Routing
) -> None:
    assert settings_here(settings, served(*there)).routing is routing
