"""Accounts for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairlead.registry.accounts.config import AccountsConfig
from support.accounts import Scene, accounts_at

SETUP_TOKEN = "a-token-for-the-set-up"
COMPONENT_TOKEN = "what-operators-send"
OWNER_TOKEN = "what-the-installation-was-started-with"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    config = AccountsConfig(setup_token=SETUP_TOKEN, component_token=COMPONENT_TOKEN, owner_token=OWNER_TOKEN)
    async with accounts_at(tmp_path, config) as opened:
        yield opened
