"""Objects that a dialect keeps beside a manifest, such as the versions that it went through: stored with the manifest
as their owner, so that they go with it, and made to be exactly those that the dialect names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.control.store import Store
from fairlead.dialects.base import Document, Kind
from fairlead.errors import AlreadyExists, NotFound


@dataclass(slots=True, kw_only=True)
class Records:
    """`kinds` are those that dialects have."""

    store: Store
    kinds: Sequence[Kind]
    _by_name: dict[str, Kind] = field(init=False)

    def __post_init__(self) -> None:
        self._by_name = {kind.kind: kind for kind in self.kinds if kind.is_read_only or kind.is_recorded}

    async def keep(self, owner: Document, wanted: Sequence[Document]) -> None:
        """Store what is missing or different and delete the owner's others."""
        names = {(one["kind"], one["metadata"]["name"]) for one in wanted}
        by_place = {(kind.group, kind.plural): kind for kind in self._by_name.values()}
        for group, plural, present in self.store.peek_owned(owner["metadata"]["uid"]):
            kind = by_place.get((group, plural))
            if kind is not None and (kind.kind, present["metadata"]["name"]) not in names:
                await self._delete(kind, present)
        for one in wanted:
            await self._put(self._by_name[one["kind"]], owner, one)

    async def _put(self, kind: Kind, owner: Document, wanted: Document) -> None:
        document = _owned(wanted, owner)
        try:
            present = self.store.peek(kind, document["metadata"].get("namespace", ""), document["metadata"]["name"])
        except NotFound:
            try:
                await self.store.create(kind, document)
            except AlreadyExists:
                return
            return
        if present.get("spec") != document.get("spec") and _is_owned(present, owner):
            await self.store.update(kind, {**present, "spec": document.get("spec")})

    async def _delete(self, kind: Kind, present: Mapping[str, Any]) -> None:
        metadata = present["metadata"]
        try:
            await self.store.delete(kind, metadata.get("namespace", ""), metadata["name"])
        except NotFound:
            return


def _is_owned(present: Document, owner: Document) -> bool:
    """Whether it was stored for this owner: what users wrote is theirs."""
    references = present["metadata"].get("ownerReferences") or ()
    return any(one.get("uid") == owner["metadata"]["uid"] for one in references)


def _owned(wanted: Document, owner: Document) -> dict[str, Any]:
    metadata = owner["metadata"]
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {**wanted, "metadata": {**wanted["metadata"], "ownerReferences": [reference]}}
