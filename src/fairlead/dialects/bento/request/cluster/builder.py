"""The pod that makes an image: our own initializer fetches the bento and the models, and our own builder makes the
image of what lies there. Upstream takes an image for each of these; ours is one."""

from typing import Any

from fairlead.dialects.bento.names import parse_tag
from fairlead.dialects.bento.request.cluster.naming import Images
from fairlead.dialects.bento.request.lower import FORCED
from fairlead.dialects.bento.request.schema import BentoRequest
from fairlead.dialects.bento.site import Site
from fairlead.dialects.bento.sources import hub_uri, registered
from fairlead.dialects.findings import Findings
from fairlead.dialects.registered import registry_env
from fairlead.plan.layout import PodTemplate

CONTEXT = "/workspace/buildcontext"
BUILDER = "builder"
ACCOUNT_LABEL = "yatai.ai/yatai-image-builder-pod"
LAST_WORDS = "/dev/termination-log"
_CREDENTIALS = "/workspace/credentials"
_DOWNLOADER = {"requests": {"cpu": "100m", "memory": "1000Mi"}, "limits": {"cpu": "1000m", "memory": "3000Mi"}}
_WORKSPACE = {"name": "workspace", "mountPath": "/workspace"}


def builder_pod(request: BentoRequest, images: Images, site: Site, findings: Findings) -> PodTemplate:
    """The template, without the labels of its Job."""
    spec = request.spec
    inits = [_downloader(request, site)]
    for index, model in enumerate(spec.models):
        tag = parse_tag(model.tag)
        uri = hub_uri(model.download_url, findings) if model.download_url else f"fairlead://models/{tag}"
        folder = f"{CONTEXT}/models/{tag.name}/{tag.version or 'latest'}"
        inits.append(_fetching(f"model-downloader-{index}", uri, folder, request, site))
    made: dict[str, Any] = {
        "restartPolicy": "Never",
        "initContainers": inits,
        "containers": [_builder(request, images, site)],
        "volumes": [{"name": "yatai", "emptyDir": {}}, {"name": "workspace", "emptyDir": {}}],
        "affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [_near(request)]}},
    }
    if secret := _secret(request, site):
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        made["volumes"].append({"name": "credentials", "secret": {"secretName": secret, "items": items}})
    if account := _account(request, site):
        made["serviceAccountName"] = account
    given = spec.image_builder_extra_pod_spec
    made |= given.model_dump(by_alias=True, exclude_unset=True) if given is not None else {}
    metadata = spec.image_builder_extra_pod_metadata
    return PodTemplate(
        spec=made,
        labels=metadata.labels if metadata is not None else {},
        annotations=metadata.annotations if metadata is not None else {},
        own=frozenset(one["name"] for one in inits),
    )


def _downloader(request: BentoRequest, site: Site) -> dict[str, Any]:
    uri = request.spec.download_url or registered(request.spec.bento_tag)
    return _fetching("bento-downloader", uri, CONTEXT, request, site)


def _fetching(name: str, uri: str, folder: str, request: BentoRequest, site: Site) -> dict[str, Any]:
    sources = [one.model_dump(by_alias=True, exclude_unset=True) for one in request.spec.downloader_container_env_from]
    container: dict[str, Any] = {
        "name": name,
        "image": site.settings.image,
        "imagePullPolicy": site.settings.image_pull_policy,
        "command": ["fairlead", "storage-initializer"],
        "args": [uri, folder],
        "env": [*_env(request), *registry_env(site.settings, [uri])],
        "resources": _DOWNLOADER,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [_WORKSPACE],
    }
    return {**container, **({"envFrom": sources} if sources else {})}


def _builder(request: BentoRequest, images: Images, site: Site) -> dict[str, Any]:
    """The builder with its command. `runtimeImages` may have another image for it, one with a program that makes
    images."""
    spec, settings = request.spec, site.settings
    is_plain = spec.oci_registry_insecure or not settings.value("bento.dockerRegistry.secure", True)
    args = ["build", "--context", CONTEXT, "--image", images.pushed, "--push", "--report", LAST_WORDS]
    args += ["--insecure"] if is_plain else []
    args += ["--force"] if request.metadata.annotations.get(FORCED) == "true" else []
    args += [word for argument in spec.build_args for word in ("--build-arg", argument)]
    engine = str(settings.value("bento.imageBuilder.engine", ""))
    args += ["--builder", engine] if engine else []
    secret = _secret(request, site)
    env = [*_env(request), *registry_env(settings, ["fairlead://"])]
    mounts = [_WORKSPACE, {"name": "yatai", "mountPath": "/yatai"}]
    if secret:
        env.append({"name": "DOCKER_CONFIG", "value": _CREDENTIALS})
        mounts.append({"name": "credentials", "mountPath": _CREDENTIALS})
    given = spec.image_builder_container_resources
    resources = given.model_dump(by_alias=True, exclude_unset=True) if given is not None else {}
    container: dict[str, Any] = {
        "name": BUILDER,
        "image": settings.image_of(BUILDER),
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["fairlead"],
        "args": args,
        "env": env,
        "resources": resources or settings.value("bento.imageBuilder.resources", {}),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    context = settings.value("bento.imageBuilder.securityContext", None)
    return {**container, **({"securityContext": context} if context else {})}


def _env(request: BentoRequest) -> list[dict[str, Any]]:
    return [one.model_dump(by_alias=True, exclude_unset=True) for one in request.spec.image_builder_extra_container_env]


def _secret(request: BentoRequest, site: Site) -> str:
    """The Secret that the registry is spoken to with."""
    return request.spec.docker_config_json_secret_name or str(
        site.settings.value("bento.dockerRegistry.secretName", "")
    )


def _account(request: BentoRequest, site: Site) -> str:
    """The account that an administrator marked for builders, if there is one."""
    for account in site.world.list("ServiceAccount", request.metadata.namespace):
        if (account["metadata"].get("labels") or {}).get(ACCOUNT_LABEL) == "true":
            return str(account["metadata"]["name"])
    return ""


def _near(request: BentoRequest) -> dict[str, Any]:
    """Where the same bento was built before, its layers may be."""
    selector = {"matchLabels": {"yatai.ai/bento-request": request.metadata.name}}
    return {"weight": 100, "podAffinityTerm": {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}}
