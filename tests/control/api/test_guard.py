"""Who gets in: tokens, hosts, and pages of other sites."""

from pathlib import Path

import pytest

from support.serving_api import serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TOKEN = "correct horse battery staple"
NAMESPACES = "/api/v1/namespaces"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": "Bearer " + "ü" * 5}, 401),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({"authorization": f"Bearer {TOKEN}", "host": "anything.example"}, 200),
        ({"authorization": f"Bearer {TOKEN}", "origin": "https://evil.example"}, 403),
    ],
)
async def test_with_a_token_only_its_bearer_gets_in(tmp_path: Path, headers: dict[str, str], code: int) -> None:
    async with serving(tmp_path, token=TOKEN) as api, api.http.get(api.url + NAMESPACES, headers=headers) as response:
        body = await response.json()

        assert response.status == code
        assert code == 200 or body["code"] == code


async def test_health_needs_no_token(tmp_path: Path) -> None:
    async with serving(tmp_path, token=TOKEN) as api, api.http.get(f"{api.url}/readyz") as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 200),
        ({"host": "localhost:1234"}, 200),
        ({"host": "[::1]:1234"}, 200),
        ({"host": "LOCALHOST"}, 200),
        ({"host": "attacker.example"}, 403),
        ({"host": "127.0.0.1.attacker.example"}, 403),
        ({"host": "192.168.0.7"}, 403),
        ({"host": ""}, 403),
        ({"host": "["}, 403),
        ({"origin": "https://attacker.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
async def test_without_a_token_only_this_machine_and_no_foreign_page_gets_in(
    tmp_path: Path, headers: dict[str, str], code: int
) -> None:
    async with serving(tmp_path) as api, api.http.get(api.url + NAMESPACES, headers=headers) as response:
        assert response.status == code
        assert "access-control-allow-origin" not in response.headers
