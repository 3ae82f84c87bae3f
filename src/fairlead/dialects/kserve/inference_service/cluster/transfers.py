"""The init container that fetches a pod's models, and what it is made of: the installation's settings, the credentials
of the pod's service account, and the ClusterStorageContainer that takes the address."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve import config as settings
from fairlead.dialects.kserve.inference_service.cluster.credentials import give_credentials, give_store
from fairlead.dialects.kserve.inference_service.cluster.draft import Draft, add_env, add_mount, value_of
from fairlead.dialects.kserve.inference_service.cluster.models import Models, Wanted
from fairlead.dialects.kserve.inference_service.merging import merged_pods
from fairlead.dialects.kserve.storage_container.naming import supports
from fairlead.dialects.kserve.storage_container.schema import INIT_CONTAINER, KIND, ClusterStorageContainer
from fairlead.dialects.registered import registry_env

Json = dict[str, Any]

NAME = "storage-initializer"
UID = "serving.kserve.io/storage-initializer-uid"
CA_VOLUME, CA_FILE = "cabundle-cert", "cabundle.crt"
_FASTER = (
    ("HF_HUB_ENABLE_HF_TRANSFER", "1"),
    ("HF_XET_HIGH_PERFORMANCE", "1"),
    ("HF_XET_NUM_CONCURRENT_RANGE_GETS", "8"),
)
_IDENTITY = ("runAsUser", "runAsGroup", "runAsNonRoot", "seLinuxOptions", "seccompProfile")


def fetch(
    draft: Draft, models: Models, fetched: Sequence[Wanted], mount: Mapping[str, Any], findings: Findings
) -> None:
    """Have the models brought to the volume that `mount` names."""
    if draft.container(NAME) is not None:
        return
    config = draft.site.config.storage_initializer
    container: Json = {
        "name": NAME,
        "image": config.image or draft.site.settings.image,
        "args": [word for one in fetched for word in (_source(one.uri), one.mount)],
        "resources": config.resources(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [dict(mount)],
    }
    secret = draft.annotations.get(draft.site.config.credentials.storage_secret_name_annotation, "")
    if models.storage is not None:
        give_store(draft, container, models.storage, findings)
    else:
        give_credentials(draft, container, account=draft.service_account, secret=secret)
    container = _customised(container, draft, fetched[0].uri)
    if draft.site.is_ours(container["image"]) and not container.get("command"):
        container["command"] = ["fairlead", NAME]
    add_env(container, [{"name": name, "value": value} for name, value in _FASTER])
    add_env(container, registry_env(draft.site.settings, [one.uri for one in fetched]))
    _trust(draft, container, findings)
    _identify(draft, container)
    draft.inits.append(container)


def identity_of(container: Mapping[str, Any]) -> Json:
    """As whom a container runs, without its rights."""
    context = container.get("securityContext") or {}
    return {key: context[key] for key in _IDENTITY if key in context}


def _source(uri: str) -> str:
    """An image that is to be fetched like any other model."""
    return uri.replace("oci+fetch://", "oci://", 1) if uri.startswith("oci+fetch://") else uri


def _customised(container: Json, draft: Draft, uri: str) -> Json:
    """Under the first ClusterStorageContainer that takes the address, or the one that the predictor names."""
    stored = _storage_container(draft, uri)
    if stored is None:
        return container
    draft.mentions.append((KIND, stored["metadata"]["name"]))
    theirs = {key: value for key, value in stored["spec"]["container"].items() if key not in ("name", "args")}
    return merged_pods(container, theirs)


def _storage_container(draft: Draft, uri: str) -> Document | None:
    named = draft.template.spec.get("storageContainerName") or ""
    for stored in draft.site.world.list(KIND):
        typed = ClusterStorageContainer.model_validate(dict(stored))
        if named:
            if typed.metadata.name == named:
                return stored
        elif not typed.disabled and typed.spec.workload_type == INIT_CONTAINER and supports(typed, uri):
            return stored
    return None


def _trust(draft: Draft, container: Json, findings: Findings) -> None:
    """The authorities of the installation, or those that the credentials name. A pod can mount only what its own
    namespace has, so the installation's are copied there."""
    config = draft.site.config.storage_initializer
    name = value_of(container, "AWS_CA_BUNDLE_CONFIGMAP")
    if not name and config.ca_bundle_config_map_name:
        name = _copied(draft, config.ca_bundle_config_map_name, findings)
    if not name:
        return
    folder = config.ca_bundle_volume_mount_path
    add_env(
        container,
        [
            {"name": "CA_BUNDLE_CONFIGMAP_NAME", "value": name},
            {"name": "CA_BUNDLE_VOLUME_MOUNT_POINT", "value": folder},
        ],
    )
    draft.add_volume({"name": CA_VOLUME, "configMap": {"name": name}})
    add_mount(container, {"name": CA_VOLUME, "mountPath": folder, "readOnly": True})


def _copied(draft: Draft, name: str, findings: Findings) -> str:
    world = draft.site.world
    places = dict.fromkeys((draft.site.settings.namespace, settings.NAMESPACE))
    stored = next((found for place in places if (found := world.get("ConfigMap", place, name))), None)
    text = ((stored or {}).get("data") or {}).get(CA_FILE)
    if not text:
        where = " or ".join(places)
        findings.warn(f"storageInitializer.caBundleConfigMapName: no ConfigMap {name} with {CA_FILE} in {where}")
        return ""
    copy = f"{draft.template.service}-global-ca-bundle"
    metadata = {"name": copy, "namespace": draft.template.namespace}
    draft.configs.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {CA_FILE: text}})
    return copy


def _identify(draft: Draft, container: Json) -> None:
    """As the server, so that files are those of one user; a mesh's rules may need another one."""
    context = {**identity_of(draft.main), **(container.get("securityContext") or {})}
    uid = draft.annotations.get(UID, "")
    if uid.isdecimal():
        context["runAsUser"] = int(uid)
    if context:
        container["securityContext"] = context
