"""What annotations and values say to one router alone."""

from fairlead.dialects.seldon import annotations
from fairlead.dialects.seldon.cluster.site import Site
from fairlead.plan.layout import AmbassadorTuning, Routing

ISTIO_GATEWAY, DEFAULT_ISTIO_GATEWAY = "seldon.io/istio-gateway", "istio-system/seldon-gateway"
AMBASSADOR_CONFIG, AMBASSADOR_ID = "seldon.io/ambassador-config", "seldon.io/ambassador-id"
CIRCUIT_BREAKERS = "seldon.io/ambassador-circuit-breakers-"
_BREAKERS = ("max-connections", "max-pending-requests", "max-requests", "max-retries")


def gateways(site: Site) -> tuple[str, ...]:
    """Istio's gateway: the manifest's, the installation's, or the chart's default. Other routers have their own."""
    if site.installation.routing is not Routing.ISTIO:
        return ()
    asked = annotations.of_deployment(site.sdep).get(ISTIO_GATEWAY, "").strip()
    return (asked or str(site.installation.settings.value("istio.gateway", DEFAULT_ISTIO_GATEWAY)),)


def backing_tls(site: Site) -> str:
    """The certificate by which Ambassador knows the pods that end TLS themselves."""
    return site.certificate if site.installation.routing is Routing.AMBASSADOR else ""


def ambassador_tuning(site: Site) -> AmbassadorTuning:
    """Everything that Ambassador alone is told."""
    settings = annotations.of_deployment(site.sdep)
    headers = annotations.headers(settings, site.findings)
    exact = next(((one.name, one.value) for one in headers if not one.is_regex), None)
    regex = next(((one.name, one.value) for one in headers if one.is_regex), None)
    breakers = {
        name.replace("-", "_"): number
        for name in _BREAKERS
        if (number := annotations.number(settings, f"{CIRCUIT_BREAKERS}{name}", site.findings)) is not None
    }
    return AmbassadorTuning(
        id=settings.get(AMBASSADOR_ID, ""),
        header=exact,
        regex_header=regex,
        retries=annotations.number(settings, annotations.RETRIES, site.findings) or 0,
        circuit_breakers=breakers,
        config=settings.get(AMBASSADOR_CONFIG, ""),
    )
