"""A place for deployments that exists in memory alone. It passes the same suite as the control plane's."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from fairlead.errors import InvalidManifest, NotFound, Problem, Where
from fairlead.registry.deploying.place import DEPLOYMENT, POD, SECRET, LogPart

Json = dict[str, Any]
Key = tuple[str, str, str]


class FakePlace:
    """Objects by kind, namespace and name; tests put pods and statuses in by hand."""

    def __init__(self) -> None:
        self.objects: dict[Key, Json] = {}
        self.namespaces = {"default"}
        self.logs: dict[tuple[str, str], list[bytes]] = {}
        self._revision = 0
        self._read: set[tuple[str, str]] = set()
        self._changed = asyncio.Condition()

    async def get(self, kind: str, namespace: str, name: str) -> Json | None:
        return deepcopy(self.objects.get((kind, namespace, name)))

    async def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Json]:
        found = [
            document
            for (its_kind, its_namespace, _), document in sorted(self.objects.items())
            if its_kind == kind and namespace in (None, its_namespace)
        ]
        return [deepcopy(each) for each in found if _has(each, labels)]

    async def put(self, document: Mapping[str, Any]) -> Json:
        new = deepcopy(dict(document))
        _check(new)
        meta = new["metadata"]
        key = (new["kind"], meta["namespace"], meta["name"])
        old = self.objects.get(key)
        self.namespaces.add(meta["namespace"])
        if old is None:
            meta |= {"uid": f"uid-{self._revision}", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
        else:
            new["metadata"] = _merged(old["metadata"], meta)
            new["metadata"]["generation"] += int(old.get("spec") != new.get("spec"))
            new |= {"status": old["status"]} if "status" in old else {}
        await self._keep(key, new)
        return deepcopy(new)

    async def set(self, kind: str, namespace: str, name: str, **parts: Any) -> None:
        """What somebody else than the registry writes: a status, another spec, or a whole pod."""
        old = self.objects.get(
            (kind, namespace, name), {"kind": kind, "metadata": {"namespace": namespace, "name": name}}
        )
        new = {**deepcopy(old), **parts}
        if "spec" in parts and "generation" in new["metadata"]:
            new["metadata"]["generation"] += 1
        await self._keep((kind, namespace, name), new)

    async def _keep(self, key: Key, document: Json) -> None:
        async with self._changed:
            self._revision += 1
            document["metadata"]["resourceVersion"] = str(self._revision)
            self.objects[key] = document
            self._changed.notify_all()

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        async with self._changed:
            self.objects.pop((kind, namespace, name), None)
            self._revision += 1
            self._changed.notify_all()

    async def changes(self, kinds: Sequence[str], namespace: str | None = None) -> AsyncGenerator[None, None]:
        seen = -1
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._revision != seen)  # noqa: B023
                seen = self._revision
            yield

    async def log(self, namespace: str, pod: str, part: LogPart) -> AsyncGenerator[bytes, None]:
        lines = self.logs.get((namespace, pod))
        if lines is None:
            raise NotFound(f'no log of pod "{pod}" is kept in namespace "{namespace}"')
        async with self._changed:
            self._read.add((namespace, pod))
            self._changed.notify_all()
        return _lines(lines if part.tail_lines is None else lines[-part.tail_lines :])

    async def was_read(self, namespace: str, pod: str) -> None:
        """Until somebody has asked for a pod's log."""
        async with self._changed:
            await self._changed.wait_for(lambda: (namespace, pod) in self._read)

    def urls(self, document: Mapping[str, Any]) -> Sequence[str]:
        url = (document.get("status") or {}).get("url")
        return [url] if url and document["spec"].get("ingress", {}).get("enabled") else []

    async def add_pod(self, namespace: str, name: str, ready: bool = True, /, **labels: str) -> None:
        """A pod with labels below `yatai.ai/`, whose names have `_` for `-`."""
        marks = {f"yatai.ai/{key.replace('_', '-')}": value for key, value in labels.items()}
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
        meta = {"namespace": namespace, "name": name, "labels": marks}
        await self._keep((POD, namespace, name), {"kind": POD, "metadata": meta, "spec": {}, "status": status})


async def _lines(lines: Sequence[bytes]) -> AsyncGenerator[bytes, None]:
    for line in lines:
        yield line


def _has(document: Json, labels: Mapping[str, str] | None) -> bool:
    own = document["metadata"].get("labels") or {}
    return all(own.get(key) == value for key, value in (labels or {}).items())


def _merged(old: Json, new: Json) -> Json:
    parts = {key: {**(old.get(key) or {}), **(new.get(key) or {})} for key in ("labels", "annotations")}
    return {**old, **{key: value for key, value in parts.items() if value}}


def _check(document: Json) -> None:
    if document["kind"] == DEPLOYMENT and not document["spec"].get("bento"):
        raise InvalidManifest([Problem(where=Where(path="spec.bento"), message="Required value")])
    if document["kind"] == SECRET:
        for value in document["data"].values():
            try:
                base64.b64decode(value, validate=True)
            except binascii.Error as error:
                raise InvalidManifest([Problem(where=Where(path="data"), message="illegal base64 data")]) from error
