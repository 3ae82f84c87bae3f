"""Installations into the API server double: what is installed, by whom, and with a clock that nobody waits for."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2

from fairlead.backends.kubernetes.install.applying import Installer
from fairlead.backends.kubernetes.install.cluster import Cluster as Calls
from fairlead.backends.kubernetes.install.installation import Installation
from fairlead.backends.kubernetes.install.listing import Listing, listing
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.kserve.cluster_seeds import cluster_seeds
from fairlead.dialects.seldon import SeldonDialect
from support.cluster import Cluster

DIALECTS = (SeldonDialect(), KServeDialect(), BentoDialect())
_FEW = ("SeldonDeployment", "ClusterServingRuntime", "ClusterStorageContainer", "LLMInferenceService")
SEEDS = cluster_seeds(ClusterSettings())
KINDS = [kind for dialect in DIALECTS for kind in dialect.kinds]


def installation(values: Mapping[str, Any] | None = None, namespace: str = "fairlead-system") -> Installation:
    """One with these values."""
    return Installation.of(values or {}, namespace=namespace)


def listed(
    values: Mapping[str, Any] | None = None, namespace: str = "fairlead-system", *, is_whole: bool = False
) -> Listing:
    """What it consists of. Unless `is_whole`, with the definitions of a few kinds, because the others are large."""
    made = installation(values, namespace)
    whole = listing(made, DIALECTS, cluster_seeds(made.settings))
    few = tuple(one for one in whole.definitions if is_whole or one["spec"]["names"]["kind"] in _FEW)
    return replace(whole, definitions=few)


@asynccontextmanager
async def installer(cluster: Cluster, *, is_rolling_out: bool = True) -> AsyncIterator[tuple[Installer, list[str]]]:
    """Installs into the double and collects what it says. Waiting is a pass of the cluster's controllers."""
    said: list[str] = []
    seconds = 0.0

    async def sleep(duration: float) -> None:
        nonlocal seconds
        seconds += duration
        if is_rolling_out:
            cluster.settle()

    async with httpx2.AsyncClient(base_url=cluster.url) as client:
        yield Installer(cluster=Calls(client), say=said.append, now=lambda: seconds, sleep=sleep), said
