"""How a BentoRequest lies in a cluster: a Job that fetches the bento and its models, makes the image unless its
registry has it, and says what is in it; then the Bento of the same name.

What the Job found comes back as the last words of its container (`status.py`), so nothing here asks a registry.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.bento.bento.schema import KIND as BENTO
from fairlead.dialects.bento.names import label_value, parse_tag
from fairlead.dialects.bento.request.cluster.builder import builder_pod
from fairlead.dialects.bento.request.cluster.found import facts_in, hash_in
from fairlead.dialects.bento.request.cluster.naming import images_of, job_name, request_hash
from fairlead.dialects.bento.request.found import bento_of
from fairlead.dialects.bento.request.lower import owner_of
from fairlead.dialects.bento.request.schema import BentoRequest
from fairlead.dialects.bento.site import Site
from fairlead.dialects.bento.sources import is_owned_by
from fairlead.dialects.findings import Findings
from fairlead.plan.layout import Layout, PodTemplate, Task

HASH = "yatai.ai/bento-request-hash"
SEPARATE = "yatai.ai/yatai-image-builder-separate-models"
NOT_AGAIN = 42
"""The exit code after which another try would end alike."""


def lay_out(request: BentoRequest, doc: Document, site: Site) -> Layout:
    """The layout of a valid request. Raises `InvalidManifest`."""
    findings = Findings()
    images = images_of(request, site, findings)
    template = builder_pod(request, images, site, findings)
    findings.check()
    labels = _labels(request)
    annotations = {HASH: request_hash(doc)}
    return Layout(
        owner=owner_of(request),
        tasks=(
            Task(
                name=job_name(doc),
                pod=PodTemplate(
                    spec=template.spec,
                    labels={**template.labels, **labels},
                    annotations={**template.annotations, **annotations},
                    own=template.own,
                ),
                spec=_spec(request),
                labels=labels,
                annotations=annotations,
            ),
        ),
        configs=_bento(request, doc, images.pulled, site),
        warnings=tuple(findings.warnings),
        mentions=((BENTO, request.metadata.name),),
    )


def _labels(request: BentoRequest) -> dict[str, str]:
    tag = parse_tag(request.spec.bento_tag)
    is_separate = request.metadata.annotations.get(SEPARATE) == "true"
    return {
        "yatai.ai/bento-request": label_value(request.metadata.name),
        "yatai.ai/is-bento-image-builder": "true",
        "yatai.ai/bento-repository": label_value(tag.name),
        "yatai.ai/bento": label_value(tag.version),
        SEPARATE: "true" if is_separate else "false",
    }


def _spec(request: BentoRequest) -> Mapping[str, Any]:
    on_exit = {"containerName": "builder", "operator": "In", "values": [NOT_AGAIN]}
    spec: dict[str, Any] = {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": 3,
        # Before 1.31 the API wants to be told of conditions, too.
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": on_exit, "onPodConditions": []}]},
    }
    return {**spec, "activeDeadlineSeconds": int(request.timeout_s)} if request.timeout_s else spec


def _bento(request: BentoRequest, doc: Document, image: str, site: Site) -> tuple[Document, ...]:
    """The Bento, as soon as its image is there, under the name that nodes pull it by. One that was made stays until
    there is a newer one."""
    facts = facts_in(doc)
    if facts is not None and hash_in(doc) == request_hash(doc):
        return (bento_of(request, facts, image),)
    known = site.world.get(BENTO, request.metadata.namespace, request.metadata.name)
    if known is None or not is_owned_by(known, doc):
        return ()
    metadata = {key: known["metadata"][key] for key in ("name", "labels", "annotations") if key in known["metadata"]}
    return ({"apiVersion": known["apiVersion"], "kind": BENTO, "metadata": metadata, "spec": known["spec"]},)
