"""A cluster as a place for deployments of the registry (`registry.deploying.Place`).

Objects are read and replaced as a whole, with the version that was read, because a client of the registry gives a
whole `spec`: fields that it left out are gone. The operator makes them true, whichever process that is. Nothing is
kept here, so that several registries may serve one cluster.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import Any, Self

from lightkube.config.kubeconfig import SingleConfig

from fairlead.backends.kubernetes.deploying.streams import Streams, Watches, lines
from fairlead.backends.kubernetes.operator import resources
from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.connecting import connect
from fairlead.backends.kubernetes.operator.limiting import Bucket
from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.resources import NAMESPACE, ResourceType, key_of
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.catalog import Catalog
from fairlead.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Forbidden,
    InvalidManifest,
    NotFound,
    Retryable,
    Unauthorized,
)
from fairlead.registry.deploying.place import (
    API_VERSIONS,
    BENTO,
    DEPLOYMENT,
    EVENT,
    POD,
    REQUEST,
    SECRET,
    Document,
    LogPart,
)

Json = dict[str, Any]
MANAGER = "fairlead-registry"
_ATTEMPTS = 8
_TIMEOUT_S = 30.0
_CALLS_PER_S, _BURST = 50.0, 100
# A container that has just been started has written nothing yet.
_LOOKS_EVERY_S = 0.5
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_DENIED = "denied the request"
"""In what an API server says when a webhook, and not its rules of access, refuses."""


def _custom(kind: str, plural: str) -> ResourceType:
    group, _, version = API_VERSIONS[kind].rpartition("/")
    return ResourceType(group=group, versions=(version,), kind=kind, plural=plural)


_TYPES: Mapping[str, ResourceType] = {
    DEPLOYMENT: _custom(DEPLOYMENT, "bentodeployments"),
    REQUEST: _custom(REQUEST, "bentorequests"),
    BENTO: _custom(BENTO, "bentoes"),
    SECRET: resources.SECRET,
    POD: resources.POD,
    EVENT: resources.EVENT,
}


class ClusterPlace:
    """`only` are the namespaces that it reaches; empty for all. What the cluster does not let it do is `Forbidden`, and
    what it would not take `InvalidManifest`."""

    def __init__(self, config: SingleConfig, *, only: Sequence[str] = ()) -> None:
        self._only = tuple(only)
        self._client, self._streaming = (connect(config, timeout_s=_TIMEOUT_S) for _ in range(2))
        bucket = Bucket(per_s=_CALLS_PER_S, burst=_BURST, now=time.monotonic)
        self._api = Api(self._client, bucket, Meter())
        self._streams = Streams(self._streaming)
        self.watches = Watches(self._api, self._streams)
        self._dialect = BentoDialect()
        self._stopped = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        await self._client.aclose()
        await self._streaming.aclose()

    def stop(self) -> None:
        """Let those go who wait for changes."""
        self._stopped.set()

    async def get(self, kind: str, namespace: str, name: str) -> Document | None:
        """One object, if it is there."""
        if not self._reaches(namespace):
            return None
        with _in_our_words():
            return await self._api.get(_TYPES[kind], namespace, name)

    async def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Document]:
        """All of a kind. Where its definition is missing there is none."""
        return await self.listed(_TYPES[kind], namespace, labels)

    async def listed(
        self, kind: ResourceType, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Document]:
        """The same of any kind."""
        selector = ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))
        found: list[Json] = []
        with _in_our_words(), suppress(NotFound):
            for where in self._namespaces(namespace):
                found += (await self._api.list(kind, where, labels=selector))[0]
        return sorted(found, key=lambda each: (each["metadata"].get("namespace", ""), each["metadata"]["name"]))

    async def put(self, document: Document) -> Document:
        """Create an object with its namespace, or give it this spec (or data), annotations and labels."""
        wanted = deepcopy(dict(document))
        key = key_of(wanted)
        if not self._reaches(key.namespace):
            raise Forbidden(f"nothing is deployed to namespace {key.namespace} here, only to {', '.join(self._only)}")
        if wanted["kind"] in (DEPLOYMENT, REQUEST):
            self._dialect.validate(self._dialect.default(wanted), catalog=Catalog())
        with _in_our_words(), _refusals():
            for _ in range(_ATTEMPTS):
                with suppress(Conflict, AlreadyExists, _Vanished):
                    return await self._put(_TYPES[wanted["kind"]], wanted)
        raise Conflict(f"{key} is being changed by somebody else all the time")

    async def _put(self, kind: ResourceType, wanted: Json) -> Document:
        meta = wanted["metadata"]
        old = await self._api.get(kind, meta["namespace"], meta["name"])
        if old is None:
            return await self._create(kind, wanted)
        try:
            return await self._api.update(kind, _changed(old, wanted), manager=MANAGER)
        except NotFound as error:
            raise _Vanished from error

    async def _create(self, kind: ResourceType, wanted: Json) -> Document:
        name = wanted["metadata"]["namespace"]
        try:
            return await self._api.create(kind, wanted, manager=MANAGER)
        except NotFound as error:
            if f'namespaces "{name}"' not in str(error):
                raise Retryable(f"the cluster has no {kind.plural}.{kind.group}: is Fairlead installed?") from error
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        with suppress(AlreadyExists):
            await self._api.create(NAMESPACE, namespace, manager=MANAGER)
        return await self._api.create(kind, wanted, manager=MANAGER)

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object; nothing happens when it is not there."""
        found = await self.get(kind, namespace, name)
        if found is None:
            return
        with _in_our_words():
            await self._api.delete(_TYPES[kind], key_of(found), uid=found["metadata"]["uid"])

    async def changes(self, kinds: Sequence[str], namespace: str | None = None) -> AsyncGenerator[None, None]:
        """One item at once, and one for each time that something may have changed since."""
        happened = asyncio.Event()
        wheres = [(_TYPES[kind], where) for kind in sorted(set(kinds)) for where in self._namespaces(namespace)]
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            with self.watches.told(wheres, happened):
                while not self._stopped.is_set():
                    happened.clear()
                    yield
                    waiting = asyncio.create_task(happened.wait())
                    await asyncio.wait([waiting, stopped], return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
        finally:
            stopped.cancel()

    async def log(self, namespace: str, pod: str, part: LogPart) -> AsyncGenerator[bytes, None]:
        """The log of a container: of the one that is the pod's main one, when none is named. Who follows one that has
        not begun waits for it."""
        found = await self.get(POD, namespace, pod)
        if found is None:
            raise NotFound(f'pods "{pod}" not found')
        path = resources.POD.path(namespace, pod, subresource="log")
        params = _log_params(found, part)
        if part.follows:
            return self._once_begun(namespace, pod, path, params)
        try:
            return await self._lines(path, params)
        except BadRequest as error:
            raise NotFound(f'no log of pod "{pod}" yet: {error}') from error

    async def _lines(self, path: str, params: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        with _in_our_words():
            # A program may be silent for as long as it likes.
            return lines(await self._streams.open(path, params, silence_s=None))

    async def _once_begun(
        self, namespace: str, pod: str, path: str, params: Mapping[str, str]
    ) -> AsyncGenerator[bytes, None]:
        while True:
            with suppress(BadRequest, NotFound):
                found = await self._lines(path, params)
                break
            if await self.get(POD, namespace, pod) is None:
                return
            await asyncio.sleep(_LOOKS_EVERY_S)
        try:
            async for line in found:
                yield line
        finally:
            await found.aclose()

    def urls(self, document: Document) -> Sequence[str]:
        """The address that the operator found for it, when it is for the outside."""
        url = (document.get("status") or {}).get("url")
        is_public = ((document.get("spec") or {}).get("ingress") or {}).get("enabled")
        return [url] if url and is_public else []

    def _reaches(self, namespace: str) -> bool:
        return not self._only or namespace in self._only

    def _namespaces(self, namespace: str | None) -> Sequence[str]:
        """Where to look: the empty name is all of them."""
        if namespace is None:
            return self._only or ("",)
        return (namespace,) if self._reaches(namespace) else ()


class _Vanished(Exception):
    """An object was deleted while it was changed."""


def _changed(old: Document, wanted: Document) -> Json:
    """The old object with what is wanted of it; labels and annotations that others wrote stay."""
    meta = dict(old["metadata"])
    for part in ("annotations", "labels"):
        if wanted["metadata"].get(part):
            meta[part] = {**(meta.get(part) or {}), **wanted["metadata"][part]}
    kept = {key: old[key] for key in ("status",) if key in old}
    return {**wanted, **kept, "metadata": meta}


def _log_params(pod: Document, part: LogPart) -> dict[str, str]:
    params = {"container": part.container or _main_container(pod)}
    params |= {"follow": "true"} if part.follows else {}
    params |= {"timestamps": "true"} if part.has_times else {}
    return params if part.tail_lines is None else {**params, "tailLines": str(part.tail_lines)}


def _main_container(pod: Document) -> str:
    chosen = (pod["metadata"].get("annotations") or {}).get(_DEFAULT_CONTAINER)
    return str(chosen or pod["spec"]["containers"][0]["name"])


@contextmanager
def _in_our_words() -> Iterator[None]:
    """What a cluster says to the registry is not what the registry says to its own callers."""
    try:
        yield
    except Unauthorized as error:
        raise Retryable(f"the cluster does not know the registry: {error}") from error
    except Forbidden as error:
        raise Forbidden(f"the cluster does not let the registry do this: {error}") from error


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except BadRequest as error:
        raise InvalidManifest((), message=str(error)) from error
    except Forbidden as error:
        if _DENIED in str(error):
            raise InvalidManifest((), message=str(error)) from error
        raise
