"""A cluster full of resources that are there already, without waiting for the operator to make each of them.

The operator makes one. What it sends for that one is kept, and sent again in its words for every other name: the
objects, their fingerprints and the status are what the operator would have made, and it finds nothing to do.
"""

import asyncio
from typing import Any

import orjson

from fairlead.backends.kubernetes.operator.comparing import APPLIED, fingerprint, marked
from fairlead.backends.kubernetes.operator.images import PODS
from support.cluster import Cluster, hands
from support.cluster.calls import Call

Document = dict[str, Any]


class Recorder:
    """Keeps what is applied to a cluster, the last for each object."""

    def __init__(self, cluster: Cluster) -> None:
        self.bodies: dict[tuple[str, str, str], tuple[str, bytes]] = {}
        self._perform = cluster.server.perform
        cluster.server.perform = self._noted  # type: ignore[method-assign]

    async def _noted(self, call: Call) -> tuple[Document, int, list[str]]:
        answer = await self._perform(call)
        if call.verb == "apply":
            self.bodies[(*call.resource.key, call.name)] = (call.manager, call.body)
        return answer


async def clone(cluster: Cluster, recorder: Recorder, manifests: list[Document]) -> None:
    """Have all of these; the first is what the operator has made."""
    first, *others = manifests
    made, name = cluster.get(first["kind"], first["metadata"]["name"]), first["metadata"]["name"].encode()
    status, uid = orjson.dumps(made["status"]), made["metadata"]["uid"].encode()
    bodies = [(manager, _wanted(body)) for manager, body in recorder.bodies.values() if uid in body]
    resource = cluster.resource_of(first)
    for document in others:
        other = await cluster.create(document)
        new_name, new_uid = other["metadata"]["name"].encode(), other["metadata"]["uid"].encode()
        for manager, body in bodies:
            wanted = orjson.loads(orjson.dumps(body).replace(name, new_name).replace(uid, new_uid))
            annotations = wanted["metadata"].get("annotations") or {}
            if PODS in annotations:
                annotations[PODS] = fingerprint(wanted["spec"]["template"])
            await cluster.apply(marked(wanted), manager=manager, force=True)
        stored = cluster.state.storage.get(resource.key, "default", new_name.decode())
        assert stored is not None
        hands.set_status(
            cluster.state, resource, stored, orjson.loads(status.replace(name, new_name)), manager="fairlead"
        )
        await asyncio.sleep(0)


def _wanted(body: bytes) -> Document:
    """What was wanted when this was sent: without the fingerprint, and with annotations only if it had some."""
    sent: Document = orjson.loads(body)
    metadata = sent["metadata"]
    others = {key: value for key, value in metadata["annotations"].items() if key != APPLIED}
    bare = {**sent, "metadata": {**metadata, "annotations": others}}
    if fingerprint(bare) != metadata["annotations"][APPLIED]:
        del bare["metadata"]["annotations"]
    return bare
