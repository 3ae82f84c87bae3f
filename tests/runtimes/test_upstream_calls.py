"""Asking another service from coroutines, over real sockets."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead.errors import NotReady, UnitFailed
from fairlead.runtimes.failures import Refused
from fairlead.runtimes.upstream import Place
from fairlead.runtimes.upstream_calls import AsyncCaller, AsyncCallers
from support.mumbling_server import Mumbling, serving
from support.unix_http import UnixHTTPServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def socket_path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="fl-") as folder, serving(UnixHTTPServer(Path(folder) / "in", Mumbling)):
        yield str(Path(folder) / "in")


@asynccontextmanager
async def calling(**place: Any) -> AsyncIterator[AsyncCaller]:
    caller = AsyncCaller(Place(**place))
    try:
        yield caller
    finally:
        caller.close()
        await asyncio.sleep(0)  # connections end in a turn of their own


async def ask(caller: AsyncCaller, path: str = "/v1/models/iris:predict") -> Any:
    return await caller.post_json(path, {"instances": [1]}, {"x-request-id": "7", "cookie": "no"})


async def test_a_service_of_ours_is_asked_by_its_name_on_one_connection(socket_path: str) -> None:
    async with calling(host="iris-predictor.default", socket=socket_path) as caller:
        first, again = await ask(caller), await ask(caller)

    assert (first["path"], first["host"]) == ("/v1/models/iris:predict", "iris-predictor.default")
    assert (first["asked"], first["headers"]) == ({"instances": [1]}, {"x-request-id": "7"})
    assert again["from"] == first["from"]


async def test_calls_wait_side_by_side(socket_path: str) -> None:
    async with calling(host="x/serving/default/iris", socket=socket_path) as caller:
        answers = await asyncio.gather(*(ask(caller) for _ in range(4)))

    assert len({answer["from"] for answer in answers}) > 1
    assert {answer["path"] for answer in answers} == {"/serving/default/iris/v1/models/iris:predict"}


async def test_refusals_keep_status_words_and_when_to_try_again(socket_path: str) -> None:
    async with calling(host="x", socket=socket_path) as caller:
        with pytest.raises(Refused, match=r"^too much$") as refused:
            await ask(caller, "/refuses")

    assert (refused.value.http, refused.value.after_s) == (429, 3.0)


async def test_an_answer_that_is_no_json_is_the_services_failure(socket_path: str) -> None:
    async with calling(host="x", socket=socket_path) as caller:
        with pytest.raises(UnitFailed, match="answered what is not JSON"):
            await ask(caller, "/mumbles")


async def test_a_service_that_is_not_there_or_hangs_up_is_not_ready(socket_path: str, tmp_path: Path) -> None:
    async with calling(host="x", socket=socket_path, retries=1) as caller:
        with pytest.raises(NotReady, match="ConnectError : EOF"):
            await ask(caller, "/hangs-up")
    async with calling(host="x", socket=str(tmp_path / "none")) as caller:
        with pytest.raises(NotReady, match="ConnectError : All connection attempts failed"):
            await ask(caller)


async def test_a_service_that_takes_too_long_is_given_up(socket_path: str) -> None:
    async with calling(host="x", socket=socket_path, timeout_s=0.05) as caller:
        with pytest.raises(Refused, match="did not answer within") as late:
            await ask(caller, "/waits")

    assert late.value.http == 504


def test_connections_belong_to_the_loop_that_made_them(socket_path: str) -> None:
    callers, place = AsyncCallers(), Place(host="x", socket=socket_path)

    async def asked() -> Any:
        try:
            return await ask(callers.of(place))
        finally:
            callers.of(place).close()
            await asyncio.sleep(0)

    assert [asyncio.run(asked())["host"] for _ in range(2)] == ["x", "x"]
