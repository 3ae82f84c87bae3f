"""The registry in one place: its database, its store of bytes, its secret, and the services over them."""

import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.errors import ConfigError
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.addresses import Addresses
from fairlead.registry.aliases import Aliases
from fairlead.registry.checking import Checker
from fairlead.registry.collecting import Collector
from fairlead.registry.db.engine import Database
from fairlead.registry.deploying.clusters import Clusters, Places
from fairlead.registry.deploying.secrets import OrgSecrets
from fairlead.registry.deploying.service import Deployments
from fairlead.registry.deploying.writing import Writer
from fairlead.registry.downloads import Downloads
from fairlead.registry.objects import Objects
from fairlead.registry.removals import Remover
from fairlead.registry.repositories import Repositories
from fairlead.registry.settling import Settler
from fairlead.registry.uploads import Uploads
from fairlead.registry.usage import Uses
from fairlead.registry.values import STRATEGIES
from fairlead.registry.versions import Versions
from fairlead.storage.blobs.opening import open_store
from fairlead.storage.blobs.store import BlobStore

GRACE_S = 2 * 3600.0
"""How long bytes stay that nothing refers to any more: longer than an address that was signed for them works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryConfig:
    """Where a registry keeps things, and how it is reached. `store_env` has the store's credentials; `secret_key` is
    made when there is none; `public_url` is where people find it, if that is not where they ask."""

    database_url: str = field(repr=False)
    store_url: str
    secret_key: Path
    store_env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    public_url: str = ""
    transmission_strategy: str = "proxy"

    @classmethod
    def of_home(
        cls,
        folder: Path,
        *,
        database: str = "",
        store: str = "",
        public_url: str = "",
        transmission_strategy: str = "proxy",
    ) -> "RegistryConfig":
        """What one machine has below `folder`, unless another database or store is named."""
        return cls(
            database_url=database or f"sqlite:///{folder / 'registry.db'}",
            store_url=store or (folder / "blobs").as_uri(),
            secret_key=folder / "secret_key",
            public_url=public_url,
            transmission_strategy=transmission_strategy,
        )


class Registry:
    """One open registry. Several, in one process or many, may have the same database and store."""

    def __init__(
        self,
        config: RegistryConfig,
        database: Database,
        store: BlobStore,
        secret: bytes,
        clock: Callable[[], float],
    ) -> None:
        self.config = config
        self.database = database
        self.store = store
        self.secret = secret
        self.clock = clock
        self.uses: list[Uses] = []
        """Those who run what is here; whoever serves a registry adds them."""
        self.remover = Remover(clock, grace_s=GRACE_S, uses=self.uses)
        self.repositories = Repositories(database, clock, self.remover)
        self.versions = Versions(database, clock, self.remover)
        self.aliases = Aliases(database, clock)
        self.settler = Settler(database, clock, grace_s=GRACE_S)
        addresses = Addresses(secret, clock)
        self.uploads = Uploads(store, self.settler, addresses, clock)
        self.downloads = Downloads(database, store, addresses, clock)
        self.objects = Objects(addresses, self.uploads, self.downloads)
        self.collector = Collector(database, store, self.settler, self.uploads, self.remover, clock)
        self.checker = Checker(database, store, clock)
        self.clusters = Clusters(database, clock, Places())
        self.secrets = OrgSecrets(database, self.clusters, Auditor(clock))
        writer = Writer(database, self.clusters, self.secrets)
        self.deployments = Deployments(database, clock, self.clusters, self.versions, writer)
        self.uses.append(self.deployments)

    @classmethod
    @asynccontextmanager
    async def open(cls, config: RegistryConfig, *, clock: Callable[[], float] = time.time) -> AsyncIterator["Registry"]:
        """Open database and store, and bring the schema up to date."""
        if config.transmission_strategy not in STRATEGIES:
            known = ", ".join(repr(name) for name in STRATEGIES)
            raise ConfigError(f"registry.transmission is {config.transmission_strategy!r}; accepted: {known}")
        async with AsyncExitStack() as stack:
            secret = load_secret(config.secret_key)
            database = await Database.open(config.database_url)
            stack.push_async_callback(database.close)
            store = open_store(config.store_url, config.store_env)
            stack.push_async_callback(store.close)
            registry = cls(config, database, store, secret, clock)
            stack.push_async_callback(registry.uploads.close)
            yield registry


def load_secret(path: Path) -> bytes:
    """The key that sessions and addresses are signed with; made once, readable by its owner alone. Of several processes
    that make it at once, all end up with the same."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be used as the registry's secret key: {error.strerror}") from error
    if len(key) < 32:
        raise ConfigError(f"{path}: the registry's secret key is shorter than 32 characters")
    return key


def _create(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, leaves the key of whoever was first.
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
