"""A Kubernetes API server for tests: the real protocol over a real socket, with everything else under the test's hand.

It is small and honest: what an operator can notice of a server of 1.28 to 1.36 is here and fails as it fails there.
What nobody here would notice (protobuf, etcd, authentication by certificate) is not.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from fairlead.control.api.kubeconfig import write_kubeconfig
from support.cluster.access import Access
from support.cluster.admission import Webhooks
from support.cluster.calls import Call
from support.cluster.collecting import Collector
from support.cluster.faults import Faults
from support.cluster.journal import Journal
from support.cluster.kinds import Kinds, Resource
from support.cluster.pod_logs import PodLogs
from support.cluster.refusals import Refusal
from support.cluster.schemas import LATEST, built_ins
from support.cluster.serving import ApiServer
from support.cluster.state import State
from support.cluster.storage import Change, Storage
from support.cluster.structure import copied
from support.cluster.watching import Watch
from support.cluster.world import World

Document = dict[str, Any]
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_MAX_PASSES = 1000


class Cluster:
    """The double as tests see it. Its own methods act at once, as an administrator; `url` is where it listens."""

    def __init__(self, *, release: str = LATEST, clock: Callable[[], datetime] | None = None, window: int = 100_000):
        self.state = State(Kinds(built_ins(release)), Storage(window=window))
        if clock is not None:
            self.state.clock = clock
        self.server = ApiServer(self.state, release)
        self.webhooks = Webhooks(self.state)
        self.state.admission = self.webhooks
        self.collector = Collector(self.state)
        self.world = World.of(self.state)
        self.url = ""
        self.is_left_to_itself = True
        self._is_settling = False
        self.state.storage.on_change.append(self._changed)
        for name in _NAMESPACES:
            self._seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def _seed(self, document: Document) -> None:
        metadata = {**document["metadata"], "uid": f"seed-{document['metadata']['name']}"}
        metadata |= {"creationTimestamp": self.state.now(), "labels": {"kubernetes.io/metadata.name": metadata["name"]}}
        body = {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        self.state.put(("", "namespaces"), {**document, **body, "metadata": metadata})

    @property
    def journal(self) -> Journal:
        """Every request that came over the wire."""
        return self.server.journal

    @property
    def faults(self) -> Faults:
        """What goes wrong."""
        return self.server.faults

    @property
    def logs(self) -> PodLogs:
        """What containers have written."""
        return self.server.logs

    @property
    def access(self) -> Access:
        """Tokens; set `is_enforced` for RBAC."""
        return self.server.access

    def watches(self, plural: str = "") -> list[Watch]:
        """Open watches, of a kind or all."""
        return self.server.watches.of(plural)

    async def watched(self, plural: str, count: int = 1) -> None:
        """Wait until so many watches follow a kind."""
        await self.server.watches.until_open(plural, count)

    # What a test does to the cluster, as an administrator with kubectl would.

    async def create(self, document: Document, **params: str) -> Document:
        """POST a document to where it belongs."""
        return await self._do("POST", document, params)

    async def replace(self, document: Document, *, subresource: str = "", **params: str) -> Document:
        """PUT it."""
        name = document["metadata"]["name"]
        return await self._do("PUT", document, params, name=name, subresource=subresource)

    async def apply(self, document: Document, *, manager: str = "test", force: bool = False) -> Document:
        """Server-side apply."""
        params = {"fieldManager": manager} | ({"force": "true"} if force else {})
        name = document["metadata"]["name"]
        return await self._do("PATCH", document, params, name=name, content_type="application/apply-patch+yaml")

    async def merge(self, document: Document, patch: Document, *, subresource: str = "") -> Document:
        """A merge patch to the object that a document names."""
        media = "application/merge-patch+json"
        name = document["metadata"]["name"]
        return await self._do("PATCH", document, {}, name=name, subresource=subresource, content_type=media, body=patch)

    async def delete(self, document: Document, **params: str) -> Document:
        """DELETE the object that a document names."""
        return await self._do("DELETE", document, params, name=document["metadata"]["name"], body=b"")

    async def _do(
        self,
        method: str,
        document: Document,
        params: dict[str, str],
        *,
        name: str = "",
        subresource: str = "",
        content_type: str = "application/json",
        body: Any = None,
    ) -> Document:
        resource = self.resource_of(document)
        call = Call(
            method=method,
            resource=resource,
            version=document["apiVersion"].rpartition("/")[2],
            namespace=document["metadata"].get("namespace", "default") if resource.is_namespaced else "",
            name=name,
            subresource=subresource,
            params=params,
            content_type=content_type,
            user_agent="test",
            body=b"" if body == b"" else orjson.dumps(document if body is None else body),
        )
        answer, _, _ = await self.server.perform(call)
        return copied(answer)

    def resource_of(self, document: Document) -> Resource:
        """The kind of a document; a test that names one we do not serve is told."""
        found = self.state.kinds.of_kind(document["apiVersion"], document["kind"])
        if found is None:
            raise Refusal(404, "NotFound", f"no kind {document['kind']} in {document['apiVersion']}")
        return found

    def resource(self, kind: str) -> Resource:
        """By a kind or a plural, with its group where two have the same: `services.serving.knative.dev`."""
        name, _, group = kind.partition(".")
        found = [
            item for item in self.state.kinds if name in (item.kind, item.plural) and (not group or group == item.group)
        ]
        if not found:
            raise LookupError(f"no kind {kind} is served")
        return found[0]

    def find(self, kind: str, name: str, namespace: str = "default") -> Document | None:
        """An object as stored, or nothing."""
        resource = self.resource(kind)
        found = self.state.storage.get(resource.key, namespace if resource.is_namespaced else "", name)
        return copied(found) if found else None

    def get(self, kind: str, name: str, namespace: str = "default") -> Document:
        """An object as stored."""
        found = self.find(kind, name, namespace)
        if found is None:
            raise LookupError(f"no {kind} {namespace}/{name}; there are {self.names(kind, namespace)}")
        return found

    def objects(self, kind: str, namespace: str = "") -> list[Document]:
        """Objects as stored."""
        return [copied(item) for item in self.state.storage.all(self.resource(kind).key, namespace)]

    def names(self, kind: str, namespace: str = "") -> list[str]:
        """Their names."""
        return [item["metadata"]["name"] for item in self.state.storage.all(self.resource(kind).key, namespace)]

    async def install(self, documents: Iterable[Document]) -> None:
        """Apply many documents, definitions first."""
        for document in sorted(documents, key=lambda item: item["kind"] != "CustomResourceDefinition"):
            await self.apply(document, manager="installer", force=True)

    # Time and disturbance.

    def step(self) -> bool:
        """One pass of the cluster's own controllers and its garbage collector; whether anything was done."""
        return self.world.step() + self.collector.step() > 0

    def settle(self) -> None:
        """Let everything happen that the cluster does by itself."""
        for _ in range(_MAX_PASSES):
            if not self.step():
                return
        raise AssertionError(f"the cluster does not come to rest in {_MAX_PASSES} passes")

    def _changed(self, change: Change) -> None:
        """Left to itself the cluster collects what deletions leave, soon after them."""
        touches_owners = change.type == "DELETED" or change.document["metadata"].get("deletionTimestamp")
        if not (self.is_left_to_itself and touches_owners) or self._is_settling:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._is_settling = True
        loop.call_soon(self._settle_now)

    def _settle_now(self) -> None:
        try:
            while self.collector.step():
                pass
        finally:
            self._is_settling = False

    def bookmark(self) -> None:
        """Tell every watch how far it has come."""
        for watch in self.watches():
            watch.bookmark()

    def expire(self) -> None:
        """Forget history and the pages of lists; watches that are open are told so and end."""
        self.state.storage.compact()
        self.server.reading.forget_pages()
        for watch in self.watches():
            watch.fail(Refusal(410, "Expired", "The resourceVersion for the provided watch is too old."))

    def end_watches(self) -> None:
        """End all watches as their timeout would."""
        for watch in self.watches():
            watch.end()

    def cut_watches(self) -> None:
        """Break the connections of all watches."""
        for watch in self.watches():
            watch.cut()

    def write_kubeconfig(self, folder: Path, *, token: str | None = None, namespace: str = "default") -> Path:
        """A kubeconfig for it."""
        path = folder / "kubeconfig"
        write_kubeconfig(path, self.url, token, namespace)
        return path


@asynccontextmanager
async def running_cluster(
    *, release: str = LATEST, clock: Callable[[], datetime] | None = None, window: int = 100_000
) -> AsyncIterator[Cluster]:
    """A cluster that listens until the block ends."""
    cluster = Cluster(release=release, clock=clock, window=window)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    runner = web.ServerRunner(web.Server(cluster.server.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    cluster.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield cluster
    finally:
        cluster.end_watches()
        cluster.logs.end()
        cluster.faults.let_go.set()
        await runner.cleanup()
        listener.close()
