"""Names of images and Jobs, as an installation's values and the request say them."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.bento.names import IMAGE_REPOSITORY, image_tag, parse_tag
from fairlead.dialects.bento.request.schema import BentoRequest
from fairlead.dialects.bento.site import Site
from fairlead.dialects.findings import Findings

HUB_HOSTS = frozenset(
    {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"}
)
HASH_DIGITS = 20
STORAGE_NAMESPACE = "yatai.ai/bento-storage-namepsace"
MULTI_TENANT = "yatai.ai/is-multi-tenancy"


@dataclass(frozen=True, slots=True)
class Images:
    """The name by which pods pull an image, and the one by which it is pushed."""

    pulled: str
    pushed: str


def images_of(request: BentoRequest, site: Site, findings: Findings) -> Images:
    """What the request asks for, or the installation's registry with Yatai's names."""
    if request.spec.image:
        return Images(request.spec.image, request.spec.image)
    server = str(site.settings.value("bento.dockerRegistry.server", ""))
    inside = str(site.settings.value("bento.dockerRegistry.inClusterServer", "")) or server
    if not server:
        findings.lack(
            "spec.image",
            "nobody has said where images go: give spec.image, or bento.dockerRegistry.server in the values",
        )
    repository = str(site.settings.value("bento.dockerRegistry.bentoRepositoryName", "") or IMAGE_REPOSITORY)
    tag = image_tag(parse_tag(request.spec.bento_tag), _prefix(request, site))
    return Images(f"{_host(server)}/{repository}:{tag}", f"{_host(inside)}/{repository}:{tag}")


def request_hash(doc: Document) -> str:
    """What a Job was made for: another one is another Job."""
    metadata: dict[str, Any] = doc["metadata"]
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if not key.startswith("kubectl.kubernetes.io/")
    }
    said = [doc.get("spec"), metadata.get("labels") or {}, annotations]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def job_name(doc: Document) -> str:
    """The Job of a request as it is now."""
    whose = f"{doc['metadata'].get('uid', '')}{doc['metadata'].get('name', '')}"
    return (
        f"yatai-bento-image-builder-{hashlib.sha256(f'{whose}{request_hash(doc)}'.encode()).hexdigest()[:HASH_DIGITS]}"
    )


def _prefix(request: BentoRequest, site: Site) -> str:
    annotations = request.metadata.annotations
    wanted = site.settings.value("bento.addNamespacePrefixToImageName", False)
    if annotations.get(MULTI_TENANT) == "true" or wanted:
        return f"{annotations.get(STORAGE_NAMESPACE) or request.metadata.namespace}."
    return ""


def _host(server: str) -> str:
    """Docker Hub by its short name, any other as it is, without a scheme."""
    bare = server.removeprefix("https://").removeprefix("http://").rstrip("/")
    host, slash, rest = bare.partition("/")
    return f"docker.io{slash}{rest}" if host in HUB_HOSTS else bare
