"""Which model a unit needs, however its manifest says so.

There are four ways: `modelUri`; an init container that is a known storage initializer and shares a volume with the
unit's container (or has the reserved name); a claim mounted where the model is expected; a `model_uri` parameter that
is itself an address. Init containers whose image is not known must really run, so their unit becomes a container.
"""

from pathlib import PurePosixPath

from fairlead.dialects.podspec import Container, Volume
from fairlead.dialects.seldon.context import NodeContext
from fairlead.dialects.seldon.lower_env import MODELS, lower_variables
from fairlead.dialects.seldon.names import init_container
from fairlead.plan.model import Artifact

MODEL_URI = "model_uri"
FORMATS = frozenset({"huggingface", "lightgbm", "mlflow", "sklearn", "tensorflow", "triton", "xgboost"})
"""Runtimes that load a model from a folder and take no `model_uri`."""
WITHOUT_MODEL = frozenset({"huggingface"})
"""Formats whose parameters may name the model instead."""


def find_artifact(context: NodeContext, runtime: str) -> Artifact | None:
    """The unit's model, `None` when the manifest names none.

    A container sees its claims by itself, and only our own runtimes of a format take an address as `model_uri`.
    """
    downloads = [
        artifact
        for index, init in enumerate(context.pod.spec.init_containers)
        if _feeds(context, init) and context.outer.catalog.is_storage_initializer(init.image)
        if (artifact := _download(context, init, index)) is not None
    ]
    if len(downloads) > 1:
        message = f"{len(downloads)} init containers fetch a model for container {context.node.name}; one is supported"
        context.findings.refuse(f"{context.pod_path}.initContainers", message)
    if downloads:
        return _narrow(context, downloads[0])
    if any(init.name == init_container(context.node.name) for _, init in unknown_inits(context)):
        # The reserved name replaces the platform's download by whatever that image does.
        return None
    if context.node.model_uri:
        return _artifact(context, context.node.model_uri, MODELS)
    artifact = _from_claim(context) if runtime != "container" else None
    return artifact or (_from_parameter(context) if runtime in FORMATS else None)


def unknown_inits(context: NodeContext) -> list[tuple[int, Container]]:
    """Init containers that prepare a volume of this unit's container and whose image we do not know."""
    return [
        (index, init)
        for index, init in enumerate(context.pod.spec.init_containers)
        if _feeds(context, init) and not context.outer.catalog.is_storage_initializer(init.image)
    ]


def shared_volumes(context: NodeContext) -> set[str]:
    """Scratch volumes that the unit's container shares with an init container that feeds it."""
    fed = {mount.name for init in context.pod.spec.init_containers for mount in init.volume_mounts}
    own = {mount.name for mount in context.container.volume_mounts}
    return {name for name in fed & own if (volume := find_volume(context, name)) and volume.empty_dir is not None}


def model_volume(context: NodeContext) -> str:
    """The shared volume that holds the model: the one at its place, or the only one. Empty for none."""
    shared = shared_volumes(context)
    place = _model_uri(context) or MODELS
    for mount in context.container.volume_mounts:
        if mount.name in shared and PurePosixPath(place).is_relative_to(mount.mount_path):
            return mount.name
    return next(iter(shared)) if len(shared) == 1 else ""


def find_volume(context: NodeContext, name: str) -> Volume | None:
    """The pod's volume of that name."""
    return next((volume for volume in context.pod.spec.volumes if volume.name == name), None)


def _feeds(context: NodeContext, init: Container) -> bool:
    if init.name == init_container(context.node.name):
        return True
    shared = shared_volumes(context)
    return any(mount.name in shared for mount in init.volume_mounts)


def _download(context: NodeContext, init: Container, index: int) -> Artifact | None:
    path = f"{context.pod_path}.initContainers[{index}]"
    words = [word for word in init.args if not word.startswith("-")]
    if len(words) < 2 and not context.node.model_uri:
        context.findings.refuse(f"{path}.args", "a storage initializer takes two arguments: the URI and the folder")
        return None
    uri, folder = words[:2] if len(words) >= 2 else (context.node.model_uri, MODELS)
    secrets = [source.secret_ref.name for source in init.env_from if source.secret_ref is not None]
    if len(secrets) > 1:
        context.findings.warn(f"{path}.envFrom: only the first Secret, {secrets[0]}, is used to fetch the model")
    return Artifact(
        uri=_claim_uri(context, init, uri) or uri,
        mount=_seen_at(context, init, folder),
        env_secret=secrets[0] if secrets else _env_secret(context),
        service_account=_service_account(context),
        init_env=tuple(lower_variables(context, init.env, path)),
    )


def _seen_at(context: NodeContext, init: Container, folder: str) -> str:
    """The place of the init container's folder as the unit's own container sees it."""
    target = PurePosixPath(folder)
    for mount in init.volume_mounts:
        if target.is_relative_to(mount.mount_path):
            for own in context.container.volume_mounts:
                if own.name == mount.name:
                    return str(PurePosixPath(own.mount_path) / target.relative_to(mount.mount_path))
    return folder


def _claim_uri(context: NodeContext, container: Container, path: str) -> str | None:
    """The address of a path inside a mounted claim."""
    if not path.startswith("/"):
        return None
    for mount in container.volume_mounts:
        volume = find_volume(context, mount.name)
        if volume and volume.persistent_volume_claim and PurePosixPath(path).is_relative_to(mount.mount_path):
            inside = PurePosixPath(mount.sub_path) / PurePosixPath(path).relative_to(mount.mount_path)
            tail = "" if str(inside) == "." else f"/{inside}"
            return f"pvc://{volume.persistent_volume_claim.claim_name}{tail}"
    return None


def _narrow(context: NodeContext, artifact: Artifact) -> Artifact:
    """A `model_uri` parameter below the mounted folder asks for that part of it alone."""
    wanted = _model_uri(context)
    if not wanted.startswith("/") or not PurePosixPath(wanted).is_relative_to(artifact.mount):
        return artifact
    inside = PurePosixPath(wanted).relative_to(artifact.mount)
    if str(inside) == ".":
        return artifact
    return Artifact(
        uri=f"{artifact.uri.rstrip('/')}/{inside}",
        mount=wanted,
        env_secret=artifact.env_secret,
        service_account=artifact.service_account,
        init_env=artifact.init_env,
    )


def _from_claim(context: NodeContext) -> Artifact | None:
    path = _model_uri(context) or MODELS
    uri = _claim_uri(context, context.container, path)
    return _artifact(context, uri, path) if uri else None


def _from_parameter(context: NodeContext) -> Artifact | None:
    """Servers of old fetched the model themselves from this parameter."""
    uri = _model_uri(context)
    if not uri or PurePosixPath(uri).is_relative_to(MODELS):
        return None
    return _artifact(context, uri, MODELS)


def _model_uri(context: NodeContext) -> str:
    return next((item.value for item in context.node.parameters if item.name == MODEL_URI), "")


def _artifact(context: NodeContext, uri: str, mount: str) -> Artifact:
    secret, account = _env_secret(context), _service_account(context)
    return Artifact(uri=uri, mount=mount, env_secret=secret, service_account=account)


def _env_secret(context: NodeContext) -> str | None:
    return context.node.env_secret_ref_name or context.outer.catalog.default_env_secret or None


def _service_account(context: NodeContext) -> str | None:
    return context.node.service_account_name or context.pod.spec.service_account_name or None
