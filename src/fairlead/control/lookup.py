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
from fairlead.errors import NotFound

CLAIM_FOLDER_ANNOTATION = "fairlead.dev/path"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLookup:
    """`kinds` are the API's own kinds by plural; `claims` is where folders of claims live."""

    store: Store
    kinds: Mapping[str, Kind]
    claims: Path

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
        """The folder a PersistentVolumeClaim stands for."""
        doc = await self._get("persistentvolumeclaims", namespace, name)
        if doc is None:
            return None
        chosen = (doc["metadata"].get("annotations") or {}).get(CLAIM_FOLDER_ANNOTATION)
        return Path(chosen) if chosen else self.claims / namespace / name

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
