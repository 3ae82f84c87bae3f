"""What watches tell of a cluster in which there is nothing."""

from pathlib import Path

import pytest

from fairlead.backends.kubernetes.operator import find_config
from fairlead.backends.kubernetes.operator.resources import SERVICE, TypeKey
from fairlead.backends.kubernetes.operator.watching import Watches
from support.cluster import running_cluster
from support.operators import until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_an_empty_list_is_told_too(tmp_path: Path) -> None:
    listed: list[TypeKey] = []
    async with running_cluster() as cluster:
        config = find_config(cluster.write_kubeconfig(tmp_path))
        watches = Watches(config, (), lambda *_: None, listed.append, lambda: None, pause_s=0.02)
        watches.start([SERVICE])
        try:
            await until(lambda: listed)
        finally:
            await watches.stop()

    assert listed == [SERVICE.key]
