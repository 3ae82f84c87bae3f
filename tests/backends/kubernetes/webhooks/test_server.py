"""The server over real TLS: certificates change while it serves, and no body ends it."""

import asyncio
import io
import json
import ssl
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from fairlead.backends.kubernetes.webhooks.certificates import made
from fairlead.backends.kubernetes.webhooks.reviewing import Reviewer
from fairlead.backends.kubernetes.webhooks.server import WebhookServer
from fairlead.dialects.base import World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.seldon import SeldonDialect
from support.admission_reviews import SELDON, review, reviewer

NAME = "localhost"
DOC: dict[str, Any] = {
    "apiVersion": "machinelearning.seldon.io/v1",
    "kind": "SeldonDeployment",
    "metadata": {"name": "iris", "namespace": "models"},
    "spec": {"predictors": []},
}


class _Client:
    """Asks a server as an API server would that trusts these authorities, a connection each."""

    def __init__(self, server: WebhookServer, authorities: bytes) -> None:
        self._url = f"https://{NAME}:{server.port}"
        self._trust = ssl.create_default_context(cadata=authorities.decode())

    async def post(self, path: str, body: bytes) -> tuple[int, Any]:
        connector = aiohttp.TCPConnector(ssl=self._trust, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(self._url + path, data=io.BytesIO(body)) as answer,
        ):
            return answer.status, await answer.json()


async def _asked(body: bytes, path: str = SELDON, by: Reviewer | None = None) -> tuple[int, Any]:
    found = made([NAME], now=datetime.now(UTC))
    async with WebhookServer(by or reviewer(), host="127.0.0.1", port=0) as server:
        server.present(found)
        return await _Client(server, found.authorities).post(path, body)


def test_a_review_is_answered_over_tls() -> None:
    status, answer = asyncio.run(_asked(json.dumps(review(DOC)).encode()))

    assert status == 200
    assert answer["kind"] == "AdmissionReview"
    assert answer["response"]["status"]["code"] == 422


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"[]"], ids=repr)
def test_a_body_that_is_no_review_is_a_bad_request(body: bytes) -> None:
    status, answer = asyncio.run(_asked(body))

    assert status == 400
    assert answer["message"]


def test_another_path_is_not_found() -> None:
    assert asyncio.run(_asked(json.dumps(review(DOC)).encode(), "/validate-nothing"))[0] == 404


def test_a_large_manifest_fits() -> None:
    doc = {**DOC, "metadata": {**DOC["metadata"], "annotations": {"a": "x" * (3 << 20)}}}

    assert asyncio.run(_asked(json.dumps(review(doc, old=doc)).encode()))[0] == 200


def test_a_mistake_of_ours_is_told_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> World:
        raise RuntimeError("the world is gone")

    asked = Reviewer(dialects=(SeldonDialect(),), catalog=Catalog(), world=broken)

    status, answer = asyncio.run(_asked(json.dumps(review(DOC)).encode(), by=asked))

    assert status == 500
    assert "the world is gone" not in answer["message"]
    assert "the world is gone" in caplog.text


def test_a_new_certificate_is_shown_without_a_restart() -> None:
    async def scenario() -> None:
        old, new = made([NAME], now=datetime.now(UTC)), made([NAME], now=datetime.now(UTC))
        body = json.dumps(review(DOC)).encode()
        async with WebhookServer(reviewer(), host="127.0.0.1", port=0) as server:
            with pytest.raises(aiohttp.ClientConnectorError):
                await _Client(server, old.authorities).post(SELDON, body)
            server.present(old)
            assert (await _Client(server, old.authorities).post(SELDON, body))[0] == 200
            server.present(new)
            assert (await _Client(server, new.authorities).post(SELDON, body))[0] == 200
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await _Client(server, old.authorities).post(SELDON, body)

    asyncio.run(scenario())
