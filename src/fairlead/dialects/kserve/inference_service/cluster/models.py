"""Which models a component's pod needs, and where in it: `storageUri`, `storage`, `storageUris`, or a variable
`STORAGE_URI` of a container of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.caches.matching import key_of
from fairlead.dialects.kserve.inference_service.cluster.draft import Draft, set_env, value_of
from fairlead.dialects.kserve.inference_service.defaults import LOCAL_MODEL_CLAIM, LOCAL_MODEL_URI
from fairlead.dialects.kserve.inference_service.runtime_defaults import MODELS
from fairlead.dialects.kserve.storage_uris import is_mounted_already, supported_scheme, unsupported

STORAGE_URI = "STORAGE_URI"
PLACEHOLDER = "<scheme-placeholder>://"
"""What a path in a store begins with, whose kind only the store's credentials know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A model and its place in the pod."""

    uri: str
    mount: str = MODELS


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """All of a pod's. `storage` is the manifest's own `storage`, where the model is named by its credentials; `is_many`
    says that they were written as a list."""

    wanted: tuple[Wanted, ...] = ()
    storage: Mapping[str, Any] | None = None
    is_many: bool = False


def models_of(draft: Draft, findings: Findings) -> Models:
    """What the pod needs. A variable that named the model says where it is, from now on."""
    spec, path = draft.template.spec, f"spec.{draft.template.role}"
    own: Mapping[str, Any] = spec.get("model") or spec.get("art") or {}
    uri, storage = own.get("storageUri") or "", own.get("storage")
    if not uri and (uri := value_of(draft.main, STORAGE_URI)):
        set_env(draft.main, STORAGE_URI, MODELS)
    if uri and storage and storage.get("path"):
        findings.refuse(f"{path}.model", "must provide only one of storageUri and storage.path")
    if (own.get("confidential") or {}).get("enabled"):
        findings.warn(f"{path}.model.confidential is not used: there is nothing to decrypt a model with")
    several = spec.get("storageUris") or ()
    if several:
        wanted = [Wanted(uri=one["uri"], mount=one.get("mountPath") or MODELS) for one in several]
        return Models(wanted=tuple(_checked(wanted, path, findings)), is_many=True)
    if storage is not None and not uri:
        return Models(wanted=(Wanted(uri=PLACEHOLDER + (storage.get("path") or "").lstrip("/")),), storage=storage)
    if not uri or is_mounted_already(uri):
        return Models()
    return Models(wanted=tuple(_checked([Wanted(uri=_cached(uri, draft))], path, findings)))


def _checked(wanted: list[Wanted], path: str, findings: Findings) -> list[Wanted]:
    for one in wanted:
        if not supported_scheme(one.uri):
            findings.refuse(f"{path}.model.storageUri", unsupported(one.uri))
    return wanted


def _cached(uri: str, draft: Draft) -> str:
    """Where a cache on the nodes has the model that an annotation says it has."""
    source = draft.template.annotations.get(LOCAL_MODEL_URI, "")
    claim, folder = draft.template.annotations.get(LOCAL_MODEL_CLAIM, ""), source.rstrip("/")
    if not source or not claim or not (uri == folder or uri.startswith(f"{folder}/")):
        return uri
    return f"pvc://{claim}/models/{key_of(source)}{uri.removeprefix(folder)}"
