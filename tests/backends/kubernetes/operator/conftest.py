"""A cluster with Seldon's kind in it."""

from collections.abc import AsyncIterator

import pytest

from support.cluster import Cluster, running_cluster
from support.operators import install


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        await install(running)
        yield running
