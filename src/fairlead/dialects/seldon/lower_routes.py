"""How requests reach the predictors: the paths, headers and hosts of all of Seldon's gateways at once.

`/seldon/<namespace>/<name>/…` over REST and `seldon`/`namespace` metadata over gRPC share the traffic by weight and
copy it to the shadow. The host names of a predictor's Service lead to that predictor alone. The short path
`/seldon/<name>/…`, which clients use without a namespace, exists for the namespace `default` only: anywhere else the
same name in two namespaces would be ambiguous.
"""

from collections.abc import Iterator
from dataclasses import replace

from fairlead.dialects.findings import Findings
from fairlead.dialects.seldon import annotations
from fairlead.dialects.seldon.names import hosts, predictor_key
from fairlead.dialects.seldon.schema import PredictorSpec, SeldonDeployment
from fairlead.plan.model import Certificate, ComponentName, Mirror, Route, Target

SHORT_PATH_NAMESPACE = "default"


def lower_routes(sdep: SeldonDeployment, findings: Findings) -> tuple[Route, ...]:
    """The routes, the shared ones first."""
    return (*_shared(sdep, findings), *_direct(sdep, findings))


def lower_certificates(sdep: SeldonDeployment) -> tuple[Certificate, ...]:
    """What `ssl` means here: the gateway shows the predictor's certificate to clients that ask for one of its hosts, or
    for one that the whole deployment is to be found at."""
    public = tuple(host for host in annotations.istio_hosts(annotations.of_deployment(sdep)) if host)
    return tuple(
        Certificate(
            secret=predictor.ssl.cert_secret_name,
            hosts=(*hosts(predictor_key(sdep, predictor), sdep.metadata.namespace), *public),
        )
        for predictor in sdep.spec.predictors
        if predictor.ssl is not None and predictor.ssl.cert_secret_name
    )


def _shared(sdep: SeldonDeployment, findings: Findings) -> Iterator[Route]:
    settings = annotations.of_deployment(sdep)
    name, namespace = sdep.metadata.name, sdep.metadata.namespace
    grpc_timeout_s = annotations.timeout_s(settings, annotations.GRPC_TIMEOUT, findings)
    base = Route(
        targets=_targets(sdep, findings),
        mirrors=_mirrors(sdep),
        timeout_s=annotations.timeout_s(settings, annotations.REST_TIMEOUT, findings),
        grpc_timeout_s=grpc_timeout_s,
        retries=_retries(sdep, findings),
    )
    grpc = replace(base, path_prefix="/", timeout_s=grpc_timeout_s, grpc_timeout_s=None)
    headers = annotations.headers(settings, findings)
    public = settings.get(annotations.SERVICE_NAME, "") or name
    for host in annotations.istio_hosts(settings):
        for called in dict.fromkeys((public, name)):
            # Requested headers guard the public name; under a name of its own a deployment needs no guard.
            needed = headers if called == public else ()
            for prefix in _prefixes(namespace, called):
                yield replace(base, path_prefix=prefix, host=host, headers=needed)
            for metadata in _metadata(namespace, called):
                yield replace(grpc, host=host, headers=needed, metadata=metadata)


def _prefixes(namespace: str, name: str) -> Iterator[str]:
    yield f"/seldon/{namespace}/{name}/"
    if namespace == SHORT_PATH_NAMESPACE:
        yield f"/seldon/{name}/"


def _metadata(namespace: str, name: str) -> Iterator[tuple[tuple[str, str], ...]]:
    yield (("seldon", name), ("namespace", namespace))
    if namespace == SHORT_PATH_NAMESPACE:
        yield (("seldon", name),)


def _direct(sdep: SeldonDeployment, findings: Findings) -> Iterator[Route]:
    for predictor in sdep.spec.predictors:
        settings = annotations.of_predictor(sdep, predictor)
        for host in hosts(predictor_key(sdep, predictor), sdep.metadata.namespace):
            yield Route(
                path_prefix="/",
                host=host,
                targets=(Target(component=ComponentName(predictor.name), weight=100),),
                timeout_s=annotations.timeout_s(settings, annotations.REST_TIMEOUT, findings),
                grpc_timeout_s=annotations.timeout_s(settings, annotations.GRPC_TIMEOUT, findings),
            )


def _targets(sdep: SeldonDeployment, findings: Findings) -> tuple[Target, ...]:
    """Exact weights: traffic 0 gets nothing, and a lone predictor gets everything."""
    live = [(index, predictor) for index, predictor in enumerate(sdep.spec.predictors) if not predictor.shadow]
    if len(live) == 1:
        return (Target(component=ComponentName(live[0][1].name), weight=100),)
    for index, predictor in live:
        if predictor.traffic < 0:
            message = f"traffic {predictor.traffic} is negative; a share is 0 to 100"
            findings.refuse(f"spec.predictors[{index}].traffic", message)
    return tuple(Target(component=ComponentName(item.name), weight=item.traffic) for _, item in live)


def _mirrors(sdep: SeldonDeployment) -> tuple[Mirror, ...]:
    return tuple(
        Mirror(component=ComponentName(predictor.name), percent=_share(predictor))
        for predictor in sdep.spec.predictors
        if predictor.shadow
    )


def _share(predictor: PredictorSpec) -> float:
    """A shadow without traffic gets a copy of everything."""
    return float(predictor.traffic or 100)


def _retries(sdep: SeldonDeployment, findings: Findings) -> int:
    settings = annotations.of_deployment(sdep)
    for name in (annotations.ISTIO_RETRIES, annotations.RETRIES):
        if (wanted := annotations.number(settings, name, findings)) is not None:
            return wanted
    return 0
