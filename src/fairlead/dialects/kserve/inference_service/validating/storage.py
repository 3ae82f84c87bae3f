"""Where models are: what a manifest may say of it. Whether a store is one that we know is asked when it is lowered."""

from collections.abc import Iterator, Sequence

from fairlead.dialects.kserve.inference_service.schema import Explainer, Predictor, StorageSpec, StorageUri
from fairlead.dialects.kserve.inference_service.validating.walking import servers_of
from fairlead.dialects.kserve.problems import problem
from fairlead.dialects.kserve.storage_uris import common_parent
from fairlead.errors import Problem

_CLAIM = "pvc://"
_EXPLAINER_STORES = ("s3", "hdfs", "webhdfs")


def predictor_storage_problems(predictor: Predictor, path: str) -> Iterator[Problem]:
    """Of one predictor, stable or canary."""
    for place, server in servers_of(predictor, path):
        if server.storage_uri and predictor.storage_uris:
            yield problem(f"{path}.storageUris", "Setting both StorageURI and StorageURIs is not supported.")
        yield from _both_problems(server.storage_uri, server.storage, place)
        confidential = server.confidential
        if confidential is not None and confidential.enabled and not server.storage_uri:
            text = "confidential model serving requires storageUri to be set"
            yield problem(f"{place}.confidential", text)
    yield from _list_problems(predictor.storage_uris, f"{path}.storageUris")


def explainer_storage_problems(explainer: Explainer) -> Iterator[Problem]:
    """Of an explainer."""
    art = explainer.art
    if art is None or art.storage is None:
        return
    path = "spec.explainer.art"
    yield from _both_problems(art.storage_uri, art.storage, path)
    store = (art.storage.parameters or {}).get("type")
    if store is not None and store not in _EXPLAINER_STORES:
        known = ", ".join(f"{name}://" for name in _EXPLAINER_STORES)
        text = f"storage.spec.type, must be one of: [{known}]. storage.spec.type [{store}] is not supported"
        yield problem(f"{path}.storage.parameters.type", text)


def _both_problems(uri: str | None, storage: StorageSpec | None, path: str) -> Iterator[Problem]:
    if uri and storage is not None and storage.path:
        yield problem(f"{path}.storage.path", "must provide only one of storageUri and storage.path")


def _list_problems(uris: Sequence[StorageUri], path: str) -> Iterator[Problem]:
    """The schema sees to it that addresses are not empty and paths absolute."""
    claims: set[str] = set()
    for index, item in enumerate(uris):
        place, mount = f"{path}[{index}].mountPath", item.mount_path
        if mount == "/":
            yield problem(place, "storage path cannot be empty")
        if ".." in mount.split("/"):
            yield problem(place, f"storage path cannot contain '..' for security reasons: {mount}")
        if item.uri.startswith(_CLAIM):
            if mount in claims:
                yield problem(place, "PVC storage paths must be unique")
            claims.add(mount)
    shared = [item.mount_path for item in uris if not item.uri.startswith(_CLAIM)]
    if len(shared) > 1 and common_parent(shared) == "/":
        text = (
            f"storage paths must have a common parent directory. Current paths: [{' '.join(shared)}] "
            f"have no common parent beyond root"
        )
        yield problem(path, text)
