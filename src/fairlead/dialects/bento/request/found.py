"""The Bento that a BentoRequest comes to, of what the request says and what was found in the bento."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.bento.bento.schema import GROUP, KIND, VERSION
from fairlead.dialects.bento.names import IMAGE_REPOSITORY, image_tag, parse_tag
from fairlead.dialects.bento.request.schema import BentoRequest
from fairlead.plan.bentos import BentoFacts

KEPT_ANNOTATIONS = (
    "yatai.ai/yatai-image-builder-separate-models",
    "yatai.ai/image-stored-in-s3",
    "yatai.ai/aws-access-key-secret-name",
    "yatai.ai/gcp-access-key-secret",
    "yatai.ai/docker-registry-insecure",
    "yatai.ai/force-build-image",
    "yatai.ai/bento-storage-namepsace",
    "yatai.ai/model-storage-namepsace",
    "yatai.ai/is-multi-tenancy",
)
"""Annotations that whoever reads a Bento looks for, two of them misspelt as Yatai has them."""


def bento_of(request: BentoRequest, facts: BentoFacts | None, image: str) -> dict[str, Any]:
    """The document, without its owner."""
    spec = request.spec
    made: dict[str, Any] = {
        "tag": spec.bento_tag,
        "image": image or spec.image or default_image(request),
        "serviceName": spec.service_name or (facts.service if facts else ""),
        "context": _context(request, facts),
        "runners": _runners(request, facts),
        "models": _models(request, facts),
        "manifest": _written(spec.manifest),
        "imagePullSecrets": [{"name": name}] if (name := spec.docker_config_json_secret_name) else [],
    }
    annotations = {
        key: request.metadata.annotations[key] for key in KEPT_ANNOTATIONS if key in request.metadata.annotations
    }
    metadata = {
        "name": request.metadata.name,
        "namespace": request.metadata.namespace,
        "labels": dict(request.metadata.labels),
        **({"annotations": annotations} if annotations else {}),
    }
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": metadata,
        "spec": {key: value for key, value in made.items() if value not in ("", None, [], {})},
    }


def default_image(request: BentoRequest, server: str = "", prefix: str = "") -> str:
    """The image of a bento where nobody named another."""
    name = f"{IMAGE_REPOSITORY}:{image_tag(parse_tag(request.spec.bento_tag), prefix)}"
    return f"{server}/{name}" if server else name


def _context(request: BentoRequest, facts: BentoFacts | None) -> Mapping[str, str]:
    given = request.spec.context.bentoml_version if request.spec.context else ""
    version = given or (facts.bentoml_version if facts else "")
    return {"bentomlVersion": version} if version else {}


def _runners(request: BentoRequest, facts: BentoFacts | None) -> list[dict[str, Any]]:
    if request.spec.runners:
        return [_written(one) for one in request.spec.runners]
    found = facts.runners if facts else ()
    return [
        {
            "name": one.name,
            **({"runnableType": one.type} if one.type else {}),
            **({"modelTags": list(one.models)} if one.models else {}),
        }
        for one in found
    ]


def _models(request: BentoRequest, facts: BentoFacts | None) -> list[dict[str, Any]]:
    """Those that are asked for, and those that the bento lists besides."""
    given = [_written(one) for one in request.spec.models]
    tags = {one["tag"] for one in given}
    return [*given, *({"tag": tag} for tag in (facts.models if facts else ()) if tag not in tags)]


def _written(model: Any) -> dict[str, Any]:
    """A part of a manifest as it was written."""
    return dict(model.model_dump(by_alias=True, exclude_unset=True)) if model is not None else {}
