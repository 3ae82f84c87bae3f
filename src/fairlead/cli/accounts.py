"""Opens the accounts of a home, whether or not a server runs there: its database takes several processes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import Parameter

from fairlead.backends.local.home import Home
from fairlead.cli.configuration import read_settings
from fairlead.cli.connection import home_at
from fairlead.control.accounts import registry_config
from fairlead.registry.accounts.config import AccountsConfig
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.callers import Caller
from fairlead.registry.db.engine import Database
from fairlead.registry.service import load_secret

_T = TypeVar("_T")
HomeOption = Annotated[Path | None, Parameter(name="--home", env_var="FAIRLEAD_HOME")]
ConfigOption = Annotated[Path | None, Parameter(name="--config")]
_TERMINAL = "fairlead-cli"


def with_accounts(home: Path | None, config: Path | None, work: Callable[[Accounts, Caller], Awaitable[_T]]) -> _T:
    """Do something with the accounts of a home, as its owner."""
    return asyncio.run(_with_accounts(home_at(home), config, work))


async def _with_accounts(home: Home, config: Path | None, work: Callable[[Accounts, Caller], Awaitable[_T]]) -> _T:
    chosen = registry_config(home, read_settings(home, config))
    home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = await Database.open(chosen.database_url)
    try:
        async with Accounts.open(database, AccountsConfig(), load_secret(chosen.secret_key)) as accounts:
            return await work(accounts, await accounts.people.owner(token_name=_TERMINAL))
    finally:
        await database.close()
