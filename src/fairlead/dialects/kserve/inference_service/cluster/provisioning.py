"""How models get into a pod: from a claim that is mounted, out of an image, or by an init container that fetches them.

All of it ends the same way: the server finds its model in a folder, which it can only read unless an annotation says
otherwise.
"""

from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.cluster.draft import Draft, Json, add_mount
from fairlead.dialects.kserve.inference_service.cluster.models import Models, Wanted, models_of
from fairlead.dialects.kserve.inference_service.cluster.oci_models import is_image, mode_of, mount_image
from fairlead.dialects.kserve.inference_service.cluster.transfers import fetch
from fairlead.dialects.kserve.storage_uris import common_parent

READ_ONLY = "storage.kserve.io/readonly"
VOLUME, CLAIM_VOLUME = "kserve-provision-location", "kserve-pvc-source"
_CLAIM = "pvc://"


def provision(draft: Draft, findings: Findings) -> None:
    """Put the models where the pod's servers look for them."""
    models = models_of(draft, findings)
    claims = [one for one in models.wanted if one.uri.startswith(_CLAIM)]
    images = [one for one in models.wanted if is_image(one.uri) and mode_of(one.uri, draft) != "fetch"]
    fetched = [one for one in models.wanted if one not in claims and one not in images]
    if fetched:
        _fetched(draft, models, fetched, [*claims, *images], findings)
    for one in claims:
        _claimed(draft, one)
    for one in images:
        mount_image(draft, one, findings)


def is_read_only(draft: Draft) -> bool:
    """Whether servers can only read their models."""
    return draft.annotations.get(READ_ONLY, "true").lower() != "false"


def _fetched(draft: Draft, models: Models, fetched: list[Wanted], mounted: list[Wanted], findings: Findings) -> None:
    folder = common_parent([one.mount for one in fetched])
    # Where something else is mounted below, its folder has to be made first.
    has_below = any(one.mount.startswith(f"{folder}/") for one in mounted)
    volume = folder.strip("/").replace("/", "-") if models.is_many else VOLUME
    draft.add_volume({"name": volume, "emptyDir": {}})
    fetch(draft, models, fetched, {"name": volume, "mountPath": folder}, findings)
    for server in draft.servers():
        is_locked = is_read_only(draft) and not has_below
        add_mount(server, {"name": volume, "mountPath": folder, "readOnly": is_locked})


def _claimed(draft: Draft, wanted: Wanted) -> None:
    """A claim is a volume already. Several folders of one claim are several mounts of it."""
    claim, _, folder = wanted.uri.removeprefix(_CLAIM).partition("/")
    volume = _volume_of(draft, claim)
    mount: Json = {"name": volume, "mountPath": wanted.mount, "readOnly": is_read_only(draft)}
    if folder.strip("/"):
        mount["subPath"] = folder.strip("/")
    for server in draft.servers():
        add_mount(server, mount)


def _volume_of(draft: Draft, claim: str) -> str:
    # Knative takes claims that are written to only where it is told to.
    is_locked = draft.template.is_knative and is_read_only(draft)
    wanted: dict[str, Any] = {"claimName": claim, "readOnly": is_locked}
    mine = [one for one in draft.volumes if str(one.get("name")).startswith(CLAIM_VOLUME)]
    for one in mine:
        if (one.get("persistentVolumeClaim") or {}).get("claimName") == claim:
            return str(one["name"])
    name = f"{CLAIM_VOLUME}-{len(mine) + 1}" if mine else CLAIM_VOLUME
    draft.add_volume({"name": name, "persistentVolumeClaim": wanted})
    return name
