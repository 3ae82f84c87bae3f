"""Writes the gateways' addresses behind the Services of workloads, so that whoever asks a Service asks a gateway.

Only the gateway that leads does it. These are Endpoints, which every version of Kubernetes takes and mirrors into
EndpointSlices; they go with their Service.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.resources import ResourceType
from fairlead.backends.kubernetes.render.own_gateway import LABEL
from fairlead.errors import FairleadError, NotFound

_log = logging.getLogger(__name__)

Json = Mapping[str, Any]
ENDPOINTS = ResourceType(group="", versions=("v1",), kind="Endpoints", plural="endpoints")
MANAGER = "fairlead-gateway"
_AGAIN_S = 2.0


@dataclass(slots=True, kw_only=True)
class Announcer:
    """`addresses` are (IP, port)."""

    api: Api
    _wanted: dict[tuple[str, str], Json] = field(default_factory=dict)
    _written: dict[tuple[str, str], Json] = field(default_factory=dict)
    _is_due: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, services: Iterable[Json], addresses: Sequence[tuple[str, int]]) -> None:
        """What there is now."""
        self._wanted = {
            (str(one["metadata"]["namespace"]), str(one["metadata"]["name"])): endpoints_of(one, addresses)
            for one in services
        }
        self._written = {key: doc for key, doc in self._written.items() if key in self._wanted}
        self._is_due.set()

    def lost(self, there: Mapping[tuple[str, str], Json]) -> None:
        """Forget having written what is not there as it was written."""
        for key, doc in list(self._written.items()):
            if _said(there.get(key) or {}) != _said(doc):
                del self._written[key]
        self._is_due.set()

    async def write(self) -> None:
        """Write until cancelled."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            due = {key: doc for key, doc in self._wanted.items() if self._written.get(key) != doc}
            if not all([await self._write_one(key, doc) for key, doc in due.items()]):
                await asyncio.sleep(_AGAIN_S)
                self._is_due.set()

    async def _write_one(self, key: tuple[str, str], doc: Json) -> bool:
        try:
            await self.api.apply(ENDPOINTS, doc, manager=MANAGER)
        except NotFound:
            return True
        except FairleadError as error:
            _log.warning("the gateways' addresses could not be written for %s/%s: %s", *key, error)
            return False
        self._written[key] = doc
        return True


def endpoints_of(service: Json, addresses: Sequence[tuple[str, int]]) -> Json:
    """The Endpoints of one Service. Gateways whose ports differ, as on one machine, are subsets of their own."""
    metadata = service["metadata"]
    name = service["spec"]["ports"][0].get("name", "")
    ports = sorted({port for _, port in addresses})
    subsets = [
        {
            "addresses": [{"ip": ip} for ip, its in sorted(addresses) if its == port],
            "ports": [{"name": name, "port": port, "protocol": "TCP"}],
        }
        for port in ports
    ]
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {LABEL: metadata["name"]},
        },
        "subsets": subsets,
    }


def _said(endpoints: Json) -> set[tuple[str, int]]:
    """What Endpoints lead to, in whatever order the API has it."""
    return {
        (address["ip"], port["port"])
        for subset in endpoints.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    }
