"""The Secrets, ConfigMaps, ServiceAccounts and claims that plans refer to, read from the store.

Values are handed to whoever fetches or starts something and are never logged.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairlead.backends.base import SecretData
from fairlead.control.store import Store
from fairlead.dialects.base import Kind
from fairlead.errors import Forbidden, NotFound

CLAIM_FOLDER_ANNOTATION = "fairlead.dev/path"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLookup:
    """`kinds` are the API's own kinds by plural; `claims` is where folders of claims live. `allowed_roots` are the
    folders that a claim's annotation may name (empty: any)."""

    store: Store
    kinds: Mapping[str, Kind]
    claims: Path
    allowed_roots: tuple[Path, ...] = ()

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        """A Secret's decoded values."""
        doc = await self._get("secrets", namespace, name)
        if doc is None:
            return None
        values = {key: _decoded(value) for key, value in (doc.get("data") or {}).items()}
        return SecretData(values=values, annotations=doc["metadata"].get("annotations") or {})

    async def config_map(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """A ConfigMap's text values."""
        doc = await self._get("configmaps", namespace, name)
        return None if doc is None else (doc.get("data") or {})

    async def service_account_secrets(self, namespace: str, name: str) -> tuple[str, ...] | None:
        """The names of the Secrets a ServiceAccount lists."""
        doc = await self._get("serviceaccounts", namespace, name)
        if doc is None:
            return None
        return tuple(entry["name"] for entry in doc.get("secrets") or [] if entry.get("name"))

    async def claim_folder(self, namespace: str, name: str) -> Path | None:
        """The folder a PersistentVolumeClaim stands for; the one in our home is made when it is first asked for."""
        doc = await self._get("persistentvolumeclaims", namespace, name)
        if doc is None:
            return None
        chosen = (doc["metadata"].get("annotations") or {}).get(CLAIM_FOLDER_ANNOTATION)
        if chosen:
            return self._allowed(Path(chosen), name)
        folder = self.claims / namespace / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _allowed(self, folder: Path, claim: str) -> Path:
        real = folder.resolve()
        if self.allowed_roots and not any(real.is_relative_to(root.resolve()) for root in self.allowed_roots):
            roots = ", ".join(str(root) for root in self.allowed_roots)
            raise Forbidden(
                f"persistentvolumeclaim {claim}: {CLAIM_FOLDER_ANNOTATION} names {folder}, outside of {roots} "
                "(storage.allowed_roots)"
            )
        return folder

    async def _get(self, plural: str, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            return await self.store.get(self.kinds[plural], namespace, name)
        except NotFound:
            return None


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except binascii.Error:
        return value.encode()
