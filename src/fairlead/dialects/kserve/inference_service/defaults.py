"""What the mutating webhook fills in before an InferenceService is stored, in its order.

Works on the document as JSON, so that what its author wrote stays as it was written. A document that cannot be read is
left alone: the rules that follow say what is wrong with it.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.caches.matching import cache_for
from fairlead.dialects.kserve.config import LEGACY_MODES, InferenceServiceConfig, ResourceConfig
from fairlead.dialects.kserve.inference_service.reading import read
from fairlead.dialects.kserve.inference_service.schema import FRAMEWORKS, PREDICTOR_CONTAINER
from fairlead.errors import InvalidManifest
from fairlead.plan import quantity

DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
MODEL_FORMAT = "modelFormat"
NODE_GROUP, DISABLE_LOCAL_MODEL = "serving.kserve.io/nodegroup", "serving.kserve.io/disable-localmodel"
_INTERNAL = "internal.serving.kserve.io/"
LOCAL_MODEL, LOCAL_MODEL_NAMESPACE = f"{_INTERNAL}localmodel", f"{_INTERNAL}localmodel-namespace"
LOCAL_MODEL_URI, LOCAL_MODEL_CLAIM = f"{_INTERNAL}localmodel-sourceuri", f"{_INTERNAL}localmodel-pvc-name"
_V2_FRAMEWORKS = frozenset({"triton", "onnx", "huggingface"})
_V2_FORMATS = frozenset({"triton", "vLLM"})
_ROLES = ("predictor", "transformer", "explainer")

Json = dict[str, Any]


def with_defaults(doc: Document, config: InferenceServiceConfig, world: World) -> Json:
    """The document with its defaults; the argument is not changed."""
    result: Json = deepcopy(dict(doc))
    try:
        read(result)
    except InvalidManifest:
        return result
    spec: Json = result["spec"]
    _default_mode(result, config)
    predictors = [spec["predictor"], *(canary["predictor"] for canary in spec.get("canary") or ())]
    for predictor in predictors:
        _move_framework(predictor)
        _default_protocol(predictor)
    model = spec["predictor"].get("model")
    if model is not None:
        annotations(result).setdefault(MODEL_FORMAT, model["modelFormat"]["name"])
    # Beside a model, containers of the stable predictor or of a canary are no predictors of their own.
    if model is None:
        for predictor in predictors:
            _default_custom(predictor, config.inference_service.resource, is_predictor=True)
    for role in _ROLES[1:]:
        if spec.get(role) is not None:
            _default_custom(spec[role], config.inference_service.resource, is_predictor=False)
    _default_art(spec.get("explainer") or {}, config)
    _mark_cache(result, config, world)
    _default_tokens(spec, config)
    return result


def annotations(doc: Json) -> Json:
    """The annotations of a document, to be changed."""
    metadata: Json = doc["metadata"]
    if metadata.get("annotations") is None:
        metadata["annotations"] = {}
    found: Json = metadata["annotations"]
    return found


def _default_mode(doc: Json, config: InferenceServiceConfig) -> None:
    written: str | None = (doc["metadata"].get("annotations") or {}).get(DEPLOYMENT_MODE)
    if written is None and config.default_mode != "Knative":
        annotations(doc)[DEPLOYMENT_MODE] = config.default_mode
    elif written is not None and written in LEGACY_MODES:
        annotations(doc)[DEPLOYMENT_MODE] = LEGACY_MODES[written]


def _move_framework(predictor: Json) -> None:
    """A framework's own object becomes the model. One that is there already is what an earlier version of the manifest
    became: who applies a framework's object again finds it merged beside that. Of two frameworks both stay, for the
    rules to refuse: they are asked of a document that was defaulted before, and would see the second one move."""
    named = [name for name in FRAMEWORKS if predictor.get(name) is not None]
    if len(named) != 1:
        return
    name = named[0]
    model = {"modelFormat": {"name": name}, **predictor.pop(name)}
    if name in _V2_FRAMEWORKS and not model.get("protocolVersion"):
        model["protocolVersion"] = "v2"
    predictor["model"] = model


def _default_protocol(predictor: Json) -> None:
    model = predictor.get("model")
    if model is not None and model["modelFormat"]["name"] in _V2_FORMATS and not model.get("protocolVersion"):
        model["protocolVersion"] = "v2"


def _default_custom(component: Json, resources: ResourceConfig, *, is_predictor: bool) -> None:
    containers: list[Json] = component.get("containers") or []
    if not containers:
        return
    if not is_predictor or len(containers) == 1 or not containers[0].get("name"):
        containers[0]["name"] = PREDICTOR_CONTAINER
    named = (container for container in containers if container.get("name") == PREDICTOR_CONTAINER)
    _default_resources(next(named, containers[0]), resources)


def _default_art(explainer: Json, config: InferenceServiceConfig) -> None:
    art = explainer.get("art")
    if art is None:
        return
    if not art.get("runtimeVersion"):
        art["runtimeVersion"] = config.explainers.art.default_image_version
    _default_resources(art, config.inference_service.resource)


def _default_resources(container: Json, resources: ResourceConfig) -> None:
    """Requests and limits that are missing. A default limit never is below what is requested."""
    written = {**(container.get("resources") or {})}
    requests, limits = {**(written.get("requests") or {})}, {**(written.get("limits") or {})}
    requests.setdefault("cpu", resources.cpu_request)
    requests.setdefault("memory", resources.memory_request)
    for name, default in (("cpu", resources.cpu_limit), ("memory", resources.memory_limit)):
        limits.setdefault(name, max((default, requests[name]), key=_amount))
    container["resources"] = {**written, "requests": requests, "limits": limits}


def _amount(text: str | float) -> float:
    try:
        return float(quantity.parse(text))
    except ValueError:
        return 0.0


def _mark_cache(doc: Json, config: InferenceServiceConfig, world: World) -> None:
    """Labels and annotations that name the cache of the model; old ones go when none holds it any more."""
    metadata: Json = doc["metadata"]
    for key, names in (
        ("labels", (LOCAL_MODEL, LOCAL_MODEL_NAMESPACE)),
        ("annotations", (LOCAL_MODEL_URI, LOCAL_MODEL_CLAIM)),
    ):
        for name in names:
            (metadata.get(key) or {}).pop(name, None)
    uri = (doc["spec"]["predictor"].get("model") or {}).get("storageUri")
    written = metadata.get("annotations") or {}
    if not config.local_model.enabled or not uri or DISABLE_LOCAL_MODEL in written:
        return
    cache = cache_for(uri, metadata.get("namespace", ""), world, node_group=written.get(NODE_GROUP, ""))
    if cache is None:
        return
    labels = {**(metadata.get("labels") or {}), LOCAL_MODEL: cache.name}
    if cache.namespace:
        labels[LOCAL_MODEL_NAMESPACE] = cache.namespace
    metadata["labels"] = labels
    annotations(doc).update({LOCAL_MODEL_URI: cache.source_uri, LOCAL_MODEL_CLAIM: f"{cache.name}-{cache.node_group}"})


def _default_tokens(spec: Json, config: InferenceServiceConfig) -> None:
    if config.security.auto_mount_service_account_token:
        return
    for component in _components(spec):
        if component.get("automountServiceAccountToken") is None:
            component["automountServiceAccountToken"] = False


def _components(spec: Json) -> Iterator[Json]:
    yield from (spec[role] for role in _ROLES if spec.get(role) is not None)
