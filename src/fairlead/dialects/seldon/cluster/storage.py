"""How a model comes into a container: an init container that fetches it into a volume which both see.

A user's own init container of the reserved name does that instead; the volume is mounted for it all the same.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from fairlead.dialects.registered import registry_env
from fairlead.dialects.seldon import names
from fairlead.dialects.seldon.cluster.credentials import Credentials, credentials_of
from fairlead.dialects.seldon.cluster.raw import Json, add_missing, copied, named
from fairlead.dialects.seldon.cluster.site import Site
from fairlead.dialects.seldon.lower_env import MODELS
from fairlead.plan import quantity

PVC, PVC_FOLDER, PVC_VOLUME = "pvc://", "/mnt/pvc", "kfserving-pvc-source"
COMMAND = "storage-initializer"
_LIMITS = (
    ("requests", "cpu", "cpuRequest", "100m"),
    ("requests", "memory", "memoryRequest", "100Mi"),
    ("limits", "cpu", "cpuLimit", "1"),
    ("limits", "memory", "memoryLimit", "1Gi"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What one container asks for. `path` is the field that says so, for messages. `folder` is where the container sees
    the model."""

    container: str
    uri: str
    path: str
    env_secret: str = ""
    image: str = ""
    service_account: str = ""
    folder: str = MODELS


def add_model(site: Site, spec: Json, container: Json, fetch: Fetch) -> frozenset[str]:
    """Have a model fetched for a container of the pod. Returns the names of init containers that are ours."""
    volume = _model_volume(container, fetch)
    mount = {"name": volume, "mountPath": fetch.folder, "readOnly": True}
    add_missing(container, "volumeMounts", [mount], key="mountPath")
    add_missing(spec, "volumes", [{"name": volume, "emptyDir": {}}])
    name = names.init_container(fetch.container)
    written = named(spec.get("initContainers", []), name)
    if isinstance(written, dict):
        # The user's own download, as it is; it only has to reach the volume that the server reads.
        add_missing(written, "volumeMounts", [{"name": volume, "mountPath": MODELS}], key="mountPath")
        return frozenset()
    init = _init_container(site, spec, container, fetch, name, volume)
    spec.setdefault("initContainers", []).append(init)
    return frozenset({name}) if init["image"] == site.installation.settings.image else frozenset()


def _model_volume(container: Json, fetch: Fetch) -> str:
    """The volume that a user mounted where the model belongs, else the one with the reserved name."""
    mounts = container.get("volumeMounts", [])
    return next(
        (item["name"] for item in mounts if PurePosixPath(item.get("mountPath", "")) == PurePosixPath(fetch.folder)),
        names.provision_volume(fetch.container),
    )


def _init_container(site: Site, spec: Json, container: Json, fetch: Fetch, name: str, volume: str) -> Json:
    source, mounts = fetch.uri, [{"name": volume, "mountPath": MODELS}]
    if fetch.uri.startswith(PVC):
        source, mount = _claim(spec, container, fetch)
        mounts.append(mount)
    image = _image(site, fetch)
    init: Json = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [source, MODELS],
        "volumeMounts": mounts,
        "resources": _resources(site, fetch),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if image == site.installation.settings.image:
        init |= {"imagePullPolicy": site.installation.settings.image_pull_policy, "args": [COMMAND, source, MODELS]}
    secret = fetch.env_secret or site.installation.env_secret
    if secret:
        init["envFrom"] = [{"secretRef": {"name": secret}}]
    add_missing(init, "env", registry_env(site.installation.settings, [fetch.uri]))
    _add_credentials(spec, init, credentials_of(site, fetch.service_account or spec.get("serviceAccountName", "")))
    return init


def _image(site: Site, fetch: Fetch) -> str:
    installation = site.installation
    table = installation.tables["storageInitializer"]
    configured = installation.related.get("STORAGE_INITIALIZER") or str(table.get("image") or "")
    return fetch.image or configured or installation.settings.image


def _resources(site: Site, fetch: Fetch) -> dict[str, dict[str, str]]:
    table = site.installation.tables["storageInitializer"]
    resources: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for kind, resource, key, default in _LIMITS:
        text = str(table.get(key) or default)
        try:
            quantity.parse(text)
        except ValueError as error:
            site.findings.refuse(fetch.path, f"storageInitializer.{key} of the installation: {error}")
        resources[kind][resource] = text
    return resources


def _claim(spec: Json, container: Json, fetch: Fetch) -> tuple[str, Json]:
    """The path inside the claim, and its mount. Two claims of one pod are two volumes; upstream knows only one."""
    claim, _, inside = fetch.uri.removeprefix(PVC).partition("/")
    source = {"persistentVolumeClaim": {"claimName": claim, "readOnly": False}}
    volumes: list[Any] = spec.setdefault("volumes", [])
    taken = [item for item in volumes if str(item.get("name", "")).startswith(PVC_VOLUME)]
    same = next((item for item in taken if item.get("persistentVolumeClaim", {}).get("claimName") == claim), None)
    name = same["name"] if same else PVC_VOLUME if not taken else f"{PVC_VOLUME}-{len(taken)}"
    add_missing(spec, "volumes", [{"name": name, **source}])
    mount = {"name": name, "mountPath": PVC_FOLDER, "readOnly": True}
    add_missing(container, "volumeMounts", [mount], key="mountPath")
    return f"{PVC_FOLDER}/{inside}".rstrip("/"), mount


def _add_credentials(spec: Json, init: Json, found: Credentials) -> None:
    add_missing(init, "env", copied(list(found.env)))
    add_missing(init, "volumeMounts", copied(list(found.mounts)), key="mountPath")
    add_missing(spec, "volumes", copied(list(found.volumes)))
