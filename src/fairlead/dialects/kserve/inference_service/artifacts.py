"""Which model a component's pod needs, however its manifest says so: `storageUri`, `storage`, `storageUris`, a
`STORAGE_URI` variable, a claim that is mounted where the model is expected, or a flag of the server."""

from dataclasses import replace
from pathlib import PurePosixPath

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.config import CredentialsConfig
from fairlead.dialects.kserve.inference_service.containers import facts_of
from fairlead.dialects.kserve.inference_service.pods import Placed, Pod
from fairlead.dialects.kserve.inference_service.runtime_defaults import MODELS
from fairlead.dialects.kserve.inference_service.schema import StorageSpec
from fairlead.dialects.kserve.storage_uris import common_parent, is_mounted_already, supported_scheme, unsupported
from fairlead.dialects.podspec import EnvVar
from fairlead.dialects.variables import lower_variables
from fairlead.plan.model import Artifact, Part, SecretEntry

STORAGE_URI = "STORAGE_URI"
_HUB_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT")


def find_artifact(pod: Pod, placed: Placed, findings: Findings, settings: CredentialsConfig) -> Artifact | None:
    """The model of the pod; `None` when it names none."""
    model, art, spec = pod.model, pod.art, pod.spec
    uri = (model.storage_uri if model else None) or (art.storage_uri if art else "") or _variable(placed)
    storage = (model.storage if model else None) or (art.storage if art else None)
    if uri and storage is not None and storage.path:
        findings.refuse(f"{pod.path}.model", "must provide only one of storageUri and storage.path")
    base = _base(pod, placed, findings, settings)
    if storage is not None and not uri:
        return _stored(base, pod, storage, settings)
    if spec.storage_uris:
        return _several(base, pod)
    if uri and not is_mounted_already(uri):
        if not supported_scheme(uri):
            findings.refuse(f"{pod.path}.model.storageUri" if pod.model else placed.path, unsupported(uri))
        return replace(base, uri=uri)
    claim = _claim(pod, placed)
    return replace(base, uri=claim) if claim else None


def hub_artifact(pod: Pod, placed: Placed, uri: str, findings: Findings, settings: CredentialsConfig) -> Artifact:
    """A model of the Hugging Face Hub that a server was to fetch itself: with the variables that it would have used."""
    base = _base(pod, placed, findings, settings)
    own = [one for one in placed.container.env if one.name in _HUB_VARIABLES]
    env = lower_variables(own, placed.path, facts_of(pod, placed), findings)
    return replace(base, uri=uri, init_env=(*base.init_env, *env))


def narrowed(artifact: Artifact, folder: str) -> Artifact:
    """The part of a model that a server is pointed to, when that is below where the model is."""
    place = PurePosixPath(folder)
    part = next((one for one in artifact.parts if place.is_relative_to(one.mount)), None)
    if part is not None:
        artifact = replace(artifact, uri=part.uri, mount=part.mount, parts=())
    if not folder.startswith("/") or not place.is_relative_to(artifact.mount) or artifact.parts or artifact.entry:
        return artifact
    inside = place.relative_to(artifact.mount)
    if str(inside) == ".":
        return artifact
    return replace(artifact, uri=f"{artifact.uri.rstrip('/')}/{inside}", mount=folder)


def _base(pod: Pod, placed: Placed, findings: Findings, settings: CredentialsConfig) -> Artifact:
    written = [EnvVar.model_validate(dict(one)) for one in pod.template.fetch_env]
    env = lower_variables(written, "ClusterStorageContainer.spec.container", facts_of(pod, placed), findings)
    return Artifact(
        init_env=tuple(env),
        uri="",
        mount=MODELS,
        service_account=pod.service_account or "default",
        credential_secret=pod.annotations.get(settings.storage_secret_name_annotation, ""),
        store_settings=_store_settings(settings),
        unpacks=True,
    )


def _store_settings(settings: CredentialsConfig) -> tuple[tuple[str, str], ...]:
    """What is said of S3 and of how the keys of Secrets are called, where it is not what everybody says."""
    said = settings.s3.model_dump(by_alias=True, exclude_defaults=True)
    said |= settings.gcs.model_dump(by_alias=True, exclude_defaults=True)
    return tuple(sorted((name, value) for name, value in said.items() if value))


def _stored(base: Artifact, pod: Pod, storage: StorageSpec, settings: CredentialsConfig) -> Artifact:
    path = (storage.path or "").lstrip("/")
    entry = SecretEntry(
        secret=pod.annotations.get(settings.storage_secret_name_annotation) or settings.storage_spec_secret_name,
        key=storage.key or "",
        path=path,
        parameters=tuple(sorted((storage.parameters or {}).items())),
    )
    return replace(base, uri=f"storage://{path}", entry=entry, credential_secret="")


def _several(base: Artifact, pod: Pod) -> Artifact:
    """Models side by side in the folder above all of them."""
    parts = tuple(Part(uri=one.uri, mount=one.mount_path) for one in pod.spec.storage_uris)
    if len(parts) == 1:
        return replace(base, uri=parts[0].uri, mount=parts[0].mount)
    return replace(base, uri=parts[0].uri, mount=common_parent([part.mount for part in parts]), parts=parts)


def _variable(placed: Placed) -> str:
    return next((one.value for one in placed.container.env if one.name == STORAGE_URI), "")


def _claim(pod: Pod, placed: Placed) -> str:
    """The address of the claim that is mounted where the model is expected."""
    for mount in placed.container.volume_mounts:
        volume = pod.volume(mount.name)
        if volume is None or volume.persistent_volume_claim is None or mount.mount_path.rstrip("/") != MODELS:
            continue
        tail = f"/{mount.sub_path.strip('/')}" if mount.sub_path else ""
        return f"pvc://{volume.persistent_volume_claim.claim_name}{tail}"
    return ""
