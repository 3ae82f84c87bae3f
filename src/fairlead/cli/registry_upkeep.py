"""Looking after a registry: `fairlead registry migrate`, `backup`, `restore`, `check` and `collect`.

Each opens the registry's database and store by itself, beside servers that may be running, so none needs a login: who
can read the home folder, or knows the database's address, may do all of it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.configuration import read_settings
from fairlead.cli.connection import home_at
from fairlead.cli.exits import Exit

if TYPE_CHECKING:
    from fairlead.registry.db.engine import Database
    from fairlead.registry.service import Registry, RegistryConfig

_HOME = Annotated[Path | None, Parameter(env_var="FAIRLEAD_HOME")]


def migrate(
    *,
    to: str = "head",
    database: str | None = None,
    home: _HOME = None,
    config: Path | None = None,
) -> int:
    """Bring the registry's database to this Fairlead's schema, or back to an older one.

    A server does the former by itself when it starts. Before going back to an older Fairlead, stop the servers and go
    to its schema with the newer one.

    Parameters
    ----------
    to
        The schema to go to (default: the newest); base is no tables at all.
    database
        Where the metadata is (default: the setting registry.database, or a file of the home).
    home
        Where the registry keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """
    return asyncio.run(_migrate(_config(database, None, home, config), to))


def backup(
    folder: Path,
    /,
    *,
    database: str | None = None,
    store: str | None = None,
    home: _HOME = None,
    config: Path | None = None,
) -> int:
    """Write everything that the registry has into a folder, while it is served.

    Done again into the same folder, only new blobs are copied. The folder has digests of tokens and passwords and is
    readable by you alone; keep it so.

    Parameters
    ----------
    folder
        Where to; made when it is not there.
    database
        Where the metadata is (default: the setting registry.database, or a file of the home).
    store
        Where models and bentos are kept (default: the setting registry.store, or a folder of the home).
    home
        Where the registry keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """

    async def work(registry: "Registry") -> int:
        from fairlead.registry.backups import back_up

        made = await back_up(registry.database, registry.store, folder.expanduser().absolute(), now=time.time())
        output.say(f"{folder}: {made.rows} rows and {made.blobs} blobs, of which {made.copied} are new")
        return Exit.OK

    return _with_registry(work, _config(database, store, home, config))


def restore(
    folder: Path,
    /,
    *,
    database: str | None = None,
    store: str | None = None,
    home: _HOME = None,
    config: Path | None = None,
) -> int:
    """Put a backup into a new registry, of either kind of database and store.

    Parameters
    ----------
    folder
        What `fairlead registry backup` wrote.
    database
        An empty database (default: the setting registry.database, or a file of the home).
    store
        Where models and bentos are to be kept (default: the setting registry.store, or a folder of the home).
    home
        Where the registry keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """
    return asyncio.run(_restore(_config(database, store, home, config), folder.expanduser().absolute()))


def check(
    *,
    quick: Annotated[bool, Parameter(negative="")] = False,
    database: str | None = None,
    store: str | None = None,
    home: _HOME = None,
    config: Path | None = None,
) -> int:
    """Say which models and bentos are not there whole. Ends with 1 if there are any.

    Parameters
    ----------
    quick
        Compare sizes, and read nothing.
    database
        Where the metadata is (default: the setting registry.database, or a file of the home).
    store
        Where models and bentos are kept (default: the setting registry.store, or a folder of the home).
    home
        Where the registry keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """

    async def work(registry: "Registry") -> int:
        harmed = 0
        async for finding in registry.checker.run(reads_all=not quick):
            harmed += not finding.is_harmless
            output.say(f"{', '.join(finding.tags) or 'nothing'}: {finding.what}: {finding.message}")
        output.say(f"{harmed} damaged" if harmed else "everything is there")
        return Exit.FAILED if harmed else Exit.OK

    return _with_registry(work, _config(database, store, home, config))


def collect(
    *,
    database: str | None = None,
    store: str | None = None,
    home: _HOME = None,
    config: Path | None = None,
) -> int:
    """Remove abandoned uploads and bytes that nothing uses, now. A server does so by itself every minute.

    What the rules of repositories have outlived goes by servers alone: they know what is deployed.

    Parameters
    ----------
    database
        Where the metadata is (default: the setting registry.database, or a file of the home).
    store
        Where models and bentos are kept (default: the setting registry.store, or a folder of the home).
    home
        Where the registry keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    """

    async def work(registry: "Registry") -> int:
        gone = await registry.collector.sweep()
        output.say(f"removed {gone.uploads} abandoned uploads and {gone.blobs} blobs")
        return Exit.OK

    return _with_registry(work, _config(database, store, home, config))


def _config(database: str | None, store: str | None, home: Path | None, config: Path | None) -> "RegistryConfig":
    from fairlead.control.accounts import registry_config

    place = home_at(home)
    flags = {"registry_database": database, "registry_store": store}
    return registry_config(place, read_settings(place, config, flags))


def _with_registry(work: Callable[["Registry"], Awaitable[int]], config: "RegistryConfig") -> int:
    from fairlead.registry.service import Registry

    async def run() -> int:
        async with Registry.open(config) as registry:
            return await work(registry)

    return asyncio.run(run())


async def _migrate(config: "RegistryConfig", to: str) -> int:
    async with _database(config) as database:
        before = await database.schema()
        await database.migrate_to(to)
        after = await database.schema()
    output.say(f"{database.name}: schema {after or 'none'}" + ("" if after == before else f", was {before or 'none'}"))
    return Exit.OK


async def _restore(config: "RegistryConfig", folder: Path) -> int:
    from fairlead.registry.backups import restore
    from fairlead.storage.blobs.opening import open_store

    async with _database(config) as database:
        store = open_store(config.store_url, config.store_env)
        try:
            made = await restore(database, store, folder)
        finally:
            await store.close()
    output.say(f"{folder}: restored {made.rows} rows and {made.blobs} blobs")
    return Exit.OK


@asynccontextmanager
async def _database(config: "RegistryConfig") -> AsyncIterator["Database"]:
    """As it is, whatever its schema."""
    from fairlead.registry.db.engine import Database

    database = await Database.open(config.database_url, migrate=False)
    try:
        yield database
    finally:
        await database.close()
