"""Health and metrics over HTTP."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.serving import Pages

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def test_it_lives_before_it_is_ready_and_counts(session: aiohttp.ClientSession) -> None:
    meter, is_ready = Meter(), False
    pages = Pages(host="127.0.0.1", metrics_port=0, health_port=0, meter=meter, is_ready=lambda: is_ready)
    meter.reconciled("SeldonDeployment", "done", 0.01)
    await pages.open()
    try:
        url = f"http://127.0.0.1:{pages.ports[0]}"
        statuses = [(await session.get(f"{url}/{page}")).status for page in ("healthz", "readyz")]
        is_ready = True
        statuses.append((await session.get(f"{url}/readyz")).status)
        text = await (await session.get(f"{url}/metrics")).text()
    finally:
        await pages.close()

    assert statuses == [200, 503, 200]
    assert 'fairlead_operator_reconciles_total{kind="SeldonDeployment",result="done"} 1.0' in text
