"""An image or artifact of a registry as a source: its layers are fetched by digest, resumed, and kept once.

An artifact is told from an image by its layers: those of an artifact have titles (`org.opencontainers.image.title`, or
`org.cncf.model.filepath`) and are the model's files; those of an image are its file system, of which /models counts.
"""

import hashlib
import platform
import posixpath
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fairlead.errors import StorageError
from fairlead.storage import archives
from fairlead.storage.asking import Client, Refused, Trust, starts_at
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.oci.client import INDEXES, Registry
from fairlead.storage.oci.logins import Login, login_for
from fairlead.storage.oci.reference import Reference, parse
from fairlead.storage.source import Changed, Entry, Packing, Restart, checked
from fairlead.storage.uris import OciUri

_CHUNK_BYTES = 256 * 1024
_TITLES = ("org.opencontainers.image.title", "org.cncf.model.filepath")
_UNPACKED = "io.deis.oras.content.unpack"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_MOST_LAYERS = 1000


class OciSource:
    """What one reference names now."""

    def __init__(
        self,
        uri: OciUri,
        *,
        config: str,
        insecure: frozenset[str],
        timeouts: Timeouts,
        secrets: tuple[str, ...],
        trust: Trust | None = None,
    ) -> None:
        self._reference = parse(uri.reference)
        login = login_for(self._reference, config)
        self.name = f"oci://{self._reference}"
        self.identity = f"{self.name} {_caller(login)}"
        is_plain = self._reference.is_loopback or self._reference.host in insecure
        # Every byte is held against a digest, so it does not matter where a redirect leads.
        client = Client(
            name=self.name,
            timeouts=timeouts,
            allow=lambda _: None,
            secrets=(*secrets, *login.secrets),
            trust=trust or Trust(),
        )
        self._registry = Registry(reference=self._reference, client=client, login=login, is_plain=is_plain)

    def entries(self) -> Sequence[Entry]:
        """The layers: files of an artifact by their titles, or layers of an image in their order."""
        manifest = self._manifest(self._reference)
        layers = manifest.get("layers")
        if not isinstance(layers, list) or not layers:
            raise StorageError(
                f"Failed to fetch model. No model found in {self.name}: nothing is there: the manifest has no layers"
            )
        if len(layers) > _MOST_LAYERS:
            raise StorageError(f"{self.name}: more than {_MOST_LAYERS} layers")
        titled = [layer for layer in layers if isinstance(layer, dict) and _title(layer)]
        if titled:
            return checked(self.name, [self._file(layer) for layer in titled])
        return checked(self.name, [self._layer(index, layer) for index, layer in enumerate(layers)])

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The blob's bytes; a digest has one content, so a part of it is always the right one."""
        try:
            response = self._registry.blob(entry.version, offset)
        except Refused as error:
            if error.status == 404:
                raise Changed(f"{self.name}: {entry.version} went away while it was fetched") from error
            if error.status == 416:
                raise Restart(f"{self.name}: the file ends where the copy ends") from error
            raise
        try:
            if offset and not starts_at(response, offset):
                raise Restart(f"{self.name}: the registry sends blobs from their beginning only")
            while chunk := response.read1(_CHUNK_BYTES):
                yield chunk
        except Exception as error:
            raise self._registry.client.translated(error) from error
        finally:
            response.close()

    def clone(self, entry: Entry, target: Path) -> bool:  # noqa: ARG002 - the protocol's signature
        """Blobs are always transferred."""
        return False

    def close(self) -> None:
        """Nothing is held between calls."""

    def _manifest(self, reference: Reference) -> Mapping[str, Any]:
        manifest, _ = self._registry.manifest(reference.version)
        if isinstance(manifest, dict) and (
            manifest.get("mediaType") in INDEXES or isinstance(manifest.get("manifests"), list)
        ):
            manifest, _ = self._registry.manifest(self._of_this_machine(manifest["manifests"]))
        if not isinstance(manifest, dict):
            raise StorageError(f"{self.name}: the registry's manifest is not an object")
        return manifest

    def _of_this_machine(self, manifests: Sequence[Any]) -> str:
        """The image for this machine; a model that names no platform, or only others, is data and fits all."""
        machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
        usable = [
            entry
            for entry in manifests
            if isinstance(entry, dict)
            and "digest" in entry
            and (entry.get("annotations") or {}).get("vnd.docker.reference.type") != "attestation-manifest"
        ]
        here = [
            entry
            for entry in usable
            if (entry.get("platform") or {}).get("architecture") == machine
            and (entry.get("platform") or {}).get("os", "linux") == "linux"
        ]
        for entry in (*here, *usable):
            return str(entry["digest"])
        raise StorageError(f"{self.name}: nothing is there: the index names no manifest")

    def _file(self, layer: Mapping[str, Any]) -> Entry:
        title = archives.plain_path(self.name, _title(layer))
        annotations = layer.get("annotations") or {}
        digest, size = self._descriptor(layer)
        media_type = str(layer.get("mediaType", ""))
        is_folder = annotations.get(_UNPACKED) == "true" or (
            "org.cncf.model" in " ".join(annotations) and ".tar" in media_type
        )
        if is_folder:
            self._refuse_zstd(media_type)
            # The tar of a folder holds the folder's own name already.
            folder = posixpath.dirname(title)
            title = posixpath.join(folder, f"{posixpath.basename(title)}.tar.gz")
        packing = Packing.ARCHIVE if is_folder else Packing.NONE
        return Entry(path=title, size=size, version=f"sha256:{digest}", sha256=digest, packing=packing)

    def _layer(self, index: int, layer: Any) -> Entry:
        if not isinstance(layer, dict):
            raise StorageError(f"{self.name}: a layer of the manifest is not an object")
        self._refuse_zstd(str(layer.get("mediaType", "")))
        digest, size = self._descriptor(layer)
        path = f"layer-{index:04d}-{digest[:12]}"
        return Entry(path=path, size=size, version=f"sha256:{digest}", sha256=digest, packing=Packing.LAYER)

    def _descriptor(self, layer: Mapping[str, Any]) -> tuple[str, int]:
        kind, _, digest = str(layer.get("digest", "")).partition(":")
        size = layer.get("size")
        if kind != "sha256" or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise StorageError(f"{self.name}: a layer has no sha256 digest")
        if not isinstance(size, int) or size < 0:
            raise StorageError(f"{self.name}: a layer has no size")
        return digest, size

    def _refuse_zstd(self, media_type: str) -> None:
        if media_type.endswith("zstd") and sys.version_info < (3, 14):
            raise StorageError(
                f"{self.name}: its layers are compressed with zstd, which needs Python 3.14; push it with gzip layers"
            )


def _title(layer: Mapping[str, Any]) -> str:
    annotations = layer.get("annotations")
    if not isinstance(annotations, dict):
        return ""
    return next((str(annotations[name]) for name in _TITLES if annotations.get(name)), "")


def _caller(login: Login) -> str:
    secret = "\0".join((login.user, login.password, login.refresh_token))
    return hashlib.sha256(secret.encode()).hexdigest()
