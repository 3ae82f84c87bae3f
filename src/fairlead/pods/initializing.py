"""The storage initializer: fills a pod's model folder before its server starts.

Arguments, variables and messages are those of KServe's and Seldon's own initializers, so a manifest that spells the
init container out, or a ConfigMap that configures it, means the same here. The transfer itself is `fairlead.storage`'s;
what is here decides what goes where and puts finished files in place.

A download is collected in a hidden folder beside its target, on the same volume: files reach their place by renaming,
nothing is written twice, and an init container that is started again goes on where it was stopped.
"""

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fairlead.errors import StorageError
from fairlead.storage import Fetcher, secret_entries
from fairlead.storage.cache import remove_tree
from fairlead.storage.clouds.layer import CA_PEM
from fairlead.storage.uris import without_secrets

log = logging.getLogger(__name__)

USAGE = "Usage: initializer-entrypoint src_uri_0 dest_path_0 ... src_uri_n dest_path_n"
PLACEHOLDER = "<scheme-placeholder>://"
"""What a manifest's path in a store begins with, when only the store's own entry knows what kind it is."""
_CONFIG, _OVERRIDES = "STORAGE_CONFIG", "STORAGE_OVERRIDE_CONFIG"
_CA_NAME, _CA_FOLDER = "CA_BUNDLE_CONFIGMAP_NAME", "CA_BUNDLE_VOLUME_MOUNT_POINT"
_HEADERS_HOST, _HEADERS = "FAIRLEAD_HEADERS_HOST", "FAIRLEAD_HEADERS"
"""Which server a Secret's headers are for is a value of that Secret, so a variable cannot be called by it in a pod."""
_CA_FOLDER_DEFAULT, _CA_FILE = "/etc/ssl/custom-certs", "cabundle.crt"
_THERE_ALREADY = "/mnt/models"
_COLLECTED = ".fairlead-fetch"


class UsageOfInitializer(StorageError):
    """Arguments that are no pairs."""

    def __init__(self) -> None:
        super().__init__(USAGE)


def pairs_of(words: Sequence[str]) -> list[tuple[str, Path]]:
    """Sources and the folders they go to. Raises `UsageOfInitializer`."""
    if not words or len(words) % 2:
        raise UsageOfInitializer()
    return [(uri, Path(folder)) for uri, folder in zip(words[::2], words[1::2], strict=True)]


def initialize(pairs: Sequence[tuple[str, Path]], environ: Mapping[str, str], *, unpacks: bool) -> None:
    """Bring every source to its folder, one after the other. Raises `StorageError` and its kind."""
    env = variables_of(environ)
    for uri, folder in pairs:
        bring(uri, folder, env, unpacks=unpacks)


def bring(uri: str, folder: Path, env: Mapping[str, str], *, unpacks: bool) -> None:
    """What `uri` holds becomes the folder's contents. Raises StorageError for what is missing, empty or refused."""
    source, own = located(uri, env)
    if source.startswith(_THERE_ALREADY) and not (Path(source).exists() and Path(source) != folder):
        return
    # A volume may be as full as the model is large, so its parts are not kept anywhere else.
    collected = folder / _COLLECTED
    folder.mkdir(parents=True, exist_ok=True)
    log.info("fetching %s into %s", without_secrets(uri), folder)
    fetcher = Fetcher(collected, defaults={**env, **own}, in_place_bytes=sys.maxsize)
    found = fetcher.fetch(source, env=_authorities(env), unpacks=unpacks)
    put_in_place(found, folder)
    remove_tree(collected)
    log.info("%s is complete", folder)


def located(uri: str, env: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The source, and the variables that its store's entry stands for. Raises StorageError as KServe words it."""
    if not env.get(_CONFIG) and not env.get(_OVERRIDES):
        return uri, {}
    try:
        overrides = json.loads(env.get(_OVERRIDES) or "{}")
    except ValueError:
        raise StorageError(f"{_OVERRIDES} is not JSON") from None
    values = {"default": env[_CONFIG].encode()} if env.get(_CONFIG) else {}
    parameters = {str(name): str(value) for name, value in overrides.items()}
    is_open = uri.startswith(PLACEHOLDER)
    path = uri.removeprefix(PLACEHOLDER)
    if not is_open:
        # The controller has put the kind in already, and for S3 the bucket, which the entry may leave out then.
        kind, _, path = uri.partition("://")
        bucket, _, path = path.partition("/") if kind == "s3" else ("", "", path)
        parameters = {"type": kind, **({"bucket": bucket} if bucket else {}), **parameters}
    resolved, own = secret_entries.resolve(values, secret=_CONFIG, path=path, parameters=parameters)
    return (resolved if is_open else uri), own


def variables_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The process's variables, with the text of the authorities that a mounted bundle adds, and headers under the name
    of the server that they are for."""
    host, headers = environ.get(_HEADERS_HOST, ""), environ.get(_HEADERS, "")
    if host and headers:
        environ = {**environ, f"{host.strip()}-headers": headers}
    name = environ.get(_CA_NAME, "")
    bundle = Path(environ.get(_CA_FOLDER) or _CA_FOLDER_DEFAULT) / _CA_FILE
    if not name or environ.get(CA_PEM):
        return dict(environ)
    try:
        return {**environ, CA_PEM: bundle.read_text()}
    except OSError as error:
        raise StorageError(f"{_CA_NAME} is {name}, but {bundle} cannot be read: {error.strerror}") from None


def put_in_place(found: Path, folder: Path) -> None:
    """Move the files of a complete copy to where the server looks, over what an earlier attempt left there."""
    for path in sorted(found.rglob("*")):
        target = folder / path.relative_to(found)
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)  # complete copies are sealed against writing, and a file leaves its folder
            target.mkdir(exist_ok=True)
    found.chmod(0o700)
    for path in [path for path in found.rglob("*") if path.is_symlink() or not path.is_dir()]:
        path.replace(folder / path.relative_to(found))


def _authorities(env: Mapping[str, str]) -> dict[str, str]:
    """Stores outside the clouds are told about authorities apart from everything else."""
    return {CA_PEM: env[CA_PEM]} if env.get(CA_PEM) else {}
