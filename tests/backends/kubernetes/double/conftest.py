"""A cluster and a client of it for each test."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from support.cluster import Cluster, running_cluster
from support.cluster.client import Api


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as cluster:
        yield cluster


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as http:
        yield Api(cluster.url, http)
