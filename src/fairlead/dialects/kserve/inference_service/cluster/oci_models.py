"""Models in images: by a sidecar that shows them to the server, by a volume of the image, or fetched like any other.

The sidecar (KServe's modelcar) runs the image itself and leaves a link to its `/models` where the server looks. Both
see each other's files because the pod shares its processes, and only while they run as one user.
"""

from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.cluster.draft import Draft, add_mount, set_env
from fairlead.dialects.kserve.inference_service.cluster.models import Wanted

Json = dict[str, Any]

MODELCAR, NATIVE, FETCH = "modelcar", "native", "fetch"
_SCHEMES = {"oci+native": NATIVE, "oci+fetch": FETCH, "oci+modelcar": MODELCAR, "oci": ""}
_IN_IMAGE = "models"
_VOLUME, _NATIVE_VOLUME = "modelcar", "kserve-oci-model"


def is_image(uri: str) -> bool:
    """Whether a model is in an image."""
    return uri.partition("://")[0] in _SCHEMES


def mode_of(uri: str, draft: Draft) -> str:
    """How a model gets out of its image: as its address says, else as the installation does."""
    config = draft.site.config.storage_initializer
    said = _SCHEMES.get(uri.partition("://")[0], "")
    return said or config.oci_model_mode or (MODELCAR if config.enable_modelcar else FETCH)


def mount_image(draft: Draft, wanted: Wanted, findings: Findings) -> None:
    """Show the servers the model of an image."""
    image = wanted.uri.partition("://")[2]
    if mode_of(wanted.uri, draft) == NATIVE:
        _native(draft, wanted, image)
    elif draft.template.spec.get("storageUris") and draft.container(MODELCAR) is not None:
        findings.refuse(
            f"spec.{draft.template.role}.storageUris",
            "one image at most can be shown by a sidecar; write oci+native://",
        )
    else:
        _modelcar(draft, wanted, image)


def _native(draft: Draft, wanted: Wanted, image: str) -> None:
    taken = sum(str(one.get("name")).startswith(_NATIVE_VOLUME) for one in draft.volumes)
    name = f"{_NATIVE_VOLUME}-{taken + 1}" if taken else _NATIVE_VOLUME
    draft.add_volume({"name": name, "image": {"reference": image, "pullPolicy": "IfNotPresent"}})
    for server in draft.servers():
        add_mount(server, {"name": name, "mountPath": wanted.mount, "subPath": _IN_IMAGE, "readOnly": True})


def _modelcar(draft: Draft, wanted: Wanted, image: str) -> None:
    config = draft.site.config.storage_initializer
    parent = wanted.mount.rstrip("/").rpartition("/")[0] or "/"
    mount = {"name": _VOLUME, "mountPath": parent, "readOnly": False}
    amounts = {"cpu": config.cpu_modelcar, "memory": config.memory_modelcar}
    context = {} if config.uid_modelcar is None else {"runAsUser": config.uid_modelcar}
    # `$$` is how Kubernetes writes the `$` of a shell's own variables.
    link = f"rm -rf {wanted.mount} && ln -sf /proc/$$$$/root/{_IN_IMAGE} {wanted.mount} && sleep infinity"
    look = f"[ -n \"$$(ls -A /{_IN_IMAGE})\" ] || {{ echo 'no files in /{_IN_IMAGE} of {image}'; exit 1; }}"
    shared: Json = {"image": image, "resources": {"requests": amounts, "limits": amounts}}
    if context:
        shared["securityContext"] = context
    draft.fields["shareProcessNamespace"] = True
    draft.add_volume({"name": _VOLUME, "emptyDir": {}})
    draft.inits.append({"name": f"{MODELCAR}-init", **shared, "command": ["sh", "-c", look]})
    draft.containers.append({"name": MODELCAR, **shared, "command": ["sh", "-c", link], "volumeMounts": [dict(mount)]})
    for server in draft.servers():
        add_mount(server, mount)
        set_env(server, "MODEL_INIT_MODE", "async")
        if context:
            server["securityContext"] = {**(server.get("securityContext") or {}), **context}
