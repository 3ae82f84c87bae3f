"""Turns a BentoRequest into a plan that runs nothing: a bento to have here, with its models and its environment, and
the image that is to be made of it. Pure."""

from collections.abc import Iterator

from fairlead.dialects.base import World
from fairlead.dialects.bento.bento.schema import KIND as BENTO
from fairlead.dialects.bento.names import image_tag, parse_tag
from fairlead.dialects.bento.request.schema import KIND, BentoRequest
from fairlead.dialects.bento.schema import BentoModel
from fairlead.dialects.bento.sources import PLACE, bento_artifact, credentials_of, model_part, registered
from fairlead.dialects.findings import Findings
from fairlead.plan.bentos import BentoFacts, ImageBuild
from fairlead.plan.model import Artifact, Owner, Plan, Prefetched

FORCED = "yatai.ai/force-build-image"
_IGNORED = (
    "image_builder_extra_pod_metadata",
    "image_builder_extra_pod_spec",
    "image_builder_extra_container_env",
    "image_builder_container_resources",
)


def lower(request: BentoRequest, world: World) -> Plan:
    """The plan of a valid request."""
    findings, spec = Findings(), request.spec
    secret = credentials_of(spec.downloader_container_env_from, "spec.downloaderContainerEnvFrom", findings)
    uri = spec.download_url or registered(spec.bento_tag)
    bento = Prefetched(
        name=spec.bento_tag,
        artifact=bento_artifact(uri, (), secret, findings),
        is_bento=True,
        image=_image(request),
    )
    models = tuple(_models(request, secret, world, findings))
    for name in _IGNORED:
        if getattr(spec, name):
            key = type(spec).model_fields[name].alias
            findings.warn(f"spec.{key} is ignored: on one machine an image is built where Fairlead runs")
    findings.check()
    secrets = {name for name in (secret, spec.docker_config_json_secret_name) if name}
    return Plan(
        owner=owner_of(request),
        components=(),
        routes=(),
        secrets=tuple(sorted(secrets)),
        labels=tuple(sorted(request.metadata.labels.items())),
        warnings=tuple(findings.warnings),
        prefetched=(bento, *models),
    )


def owner_of(request: BentoRequest) -> Owner:
    """The resource."""
    meta = request.metadata
    return Owner(
        api_version=request.api_version,
        kind=request.kind,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        generation=meta.generation,
    )


def facts_of(request: BentoRequest, world: World) -> BentoFacts | None:
    """What was found in the bento, as far as this process knows."""
    observed = world.observed(KIND, request.metadata.namespace, request.metadata.name)
    found = observed.prefetched if observed is not None else ()
    return next((one.facts for one in found if one.name == request.spec.bento_tag), None)


def _image(request: BentoRequest) -> ImageBuild:
    spec = request.spec
    annotations = request.metadata.annotations
    return ImageBuild(
        name=spec.image,
        tag=image_tag(parse_tag(spec.bento_tag)),
        build_args=tuple(spec.build_args),
        timeout_s=request.timeout_s,
        credentials=spec.docker_config_json_secret_name,
        is_insecure=spec.oci_registry_insecure or annotations.get("yatai.ai/docker-registry-insecure") == "true",
        is_forced=annotations.get(FORCED) == "true",
    )


def _models(request: BentoRequest, secret: str, world: World, findings: Findings) -> Iterator[Prefetched]:
    """Models that are asked for, and those that were found in the bento: by this process, or by an earlier one."""
    known = world.get(BENTO, request.metadata.namespace, request.metadata.name)
    listed = [BentoModel.model_validate(one) for one in ((known or {}).get("spec") or {}).get("models") or ()]
    facts = facts_of(request, world)
    listed += [BentoModel(tag=tag) for tag in (facts.models if facts else ())]
    wanted = {one.tag: one for one in (*listed, *request.spec.models)}
    for tag, model in wanted.items():
        part = model_part(model, findings)
        yield Prefetched(
            name=tag,
            artifact=Artifact(
                uri=part.uri, mount=str(PLACE.parent / "models"), env_secret=secret or None, unpacks=True
            ),
        )
