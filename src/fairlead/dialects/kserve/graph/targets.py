"""How a step's `serviceName` becomes a URL: the host of the InferenceService inside the cluster, and the path at which
its model predicts.

The rules are those of KServe's controller, which reads them off the manifest. Where the manifest leaves the protocol to
the runtime, KServe asks for V1 whatever runs; here what really runs decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.graph.crd import SERVICE
from fairlead.dialects.kserve.inference_service import hosts
from fairlead.dialects.kserve.inference_service.flags import settings_of
from fairlead.errors import FairleadError, Retryable
from fairlead.plan.model import Plan, Protocol

_MODEL_NAME = "model_name"
_RUNTIMES = (("ServingRuntime", True), ("ClusterServingRuntime", False))
_PLAIN = ("v1", "v2")
_PATHS = {"v1": "/v1/models/{}:predict", "v2": "/v2/models/{}/infer"}


class ServiceMissing(Retryable):
    """A step names an InferenceService that is not there."""

    reason = "ServiceNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"Failed to find graph service {name}")


class NoProtocol(FairleadError):
    """A step names an InferenceService that speaks nothing a graph does."""

    reason = "UnsupportedProtocol"

    def __init__(self, name: str) -> None:
        super().__init__(f"service {name}: the runtime does not support a protocol compatible with Inference Graphs")


def service_url(name: str, namespace: str, world: World) -> str:
    """Where a step asks an InferenceService. Raises `ServiceMissing` and `NoProtocol`."""
    doc = world.get(SERVICE, namespace, name)
    if doc is None:
        raise ServiceMissing(name)
    path = "" if holds_many(doc) else predict_path(doc, world)
    return f"http://{hosts.inside(name, namespace)[0]}{path}"


def is_ready(name: str, namespace: str, world: World) -> bool:
    """Whether an InferenceService says that it answers."""
    doc = world.get(SERVICE, namespace, name) or {}
    conditions = (doc.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def predict_path(doc: Document, world: World) -> str:
    """The path at which a service's model predicts. Raises `NoProtocol`."""
    return _PATHS[_protocol(doc, world)].format(quote(model_name(doc), safe=""))


def model_name(doc: Document) -> str:
    """What a service's model is called in paths."""
    transformer, predictor = _container(doc, "transformer"), _container(doc, "predictor")
    model = (doc["spec"].get("predictor") or {}).get("model") or {}
    candidates = (
        _flag(transformer),
        _variable(model, "MLSERVER_MODEL_NAME") or _variable(predictor, "MLSERVER_MODEL_NAME"),
        _flag(model) or _flag(predictor),
    )
    return next((name for name in candidates if name), str(doc["metadata"]["name"]))


def _protocol(doc: Document, world: World) -> str:
    name, spec = doc["metadata"]["name"], doc["spec"]
    if spec.get("transformer"):
        return _plain(_variable(_container(doc, "transformer"), "PROTOCOL") or "v1", name)
    model = (spec.get("predictor") or {}).get("model") or {}
    if model.get("runtime"):
        spoken = _protocols_of(model["runtime"], doc["metadata"].get("namespace", ""), world)
        if spoken is not None:
            return _plain(next((one for one in spoken if one in _PLAIN), ""), name)
    said = model.get("protocolVersion") or _variable(_container(doc, "predictor"), "PROTOCOL")
    if said:
        return _plain(str(said).removeprefix("grpc-"), name)
    return _running(world.plan(SERVICE, doc["metadata"].get("namespace", ""), name))


def _plain(protocol: str, name: str) -> str:
    if protocol not in _PLAIN:
        raise NoProtocol(name)
    return protocol


def _running(plan: Plan | None) -> str:
    """What the service's components speak; V1 when nothing is known yet."""
    spoken = {
        protocol
        for component in (plan.components if plan is not None else ())
        if component.role in ("", "predictor")
        for protocol in (component.revision.protocol, *component.revision.also)
    }
    return "v2" if Protocol.V2 in spoken and Protocol.V1 not in spoken else "v1"


def _protocols_of(runtime: str, namespace: str, world: World) -> Sequence[str] | None:
    for kind, is_namespaced in _RUNTIMES:
        doc = world.get(kind, namespace if is_namespaced else "", runtime)
        if doc is not None:
            return doc["spec"].get("protocolVersions") or ()
    return None


def holds_many(doc: Document) -> bool:
    """Whether a service's predictor is there for models that come later; then a request must name its own path."""
    predictor = doc["spec"].get("predictor") or {}
    if _variable(_container(doc, "predictor"), "MULTI_MODEL_SERVER").lower() == "true":
        return True
    model = predictor.get("model")
    if not isinstance(model, Mapping) or (model.get("modelFormat") or {}).get("name") == "huggingface":
        return False
    return not (model.get("storageUri") or model.get("storage") or predictor.get("storageUris"))


def _container(doc: Document, role: str) -> Mapping[str, Any]:
    """The first container of a component; an empty one for none."""
    containers = (doc["spec"].get(role) or {}).get("containers") or ()
    return next((one for one in containers if isinstance(one, Mapping)), {})


def _flag(container: Mapping[str, Any]) -> str:
    return settings_of(_words(container)).get(_MODEL_NAME, "")


def _words(container: Mapping[str, Any]) -> Iterator[str]:
    return (str(word) for word in container.get("args") or ())


def _variable(container: Mapping[str, Any], name: str) -> str:
    return next((str(one.get("value") or "") for one in container.get("env") or () if one.get("name") == name), "")
