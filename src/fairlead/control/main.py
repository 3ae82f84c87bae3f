"""The control process of one machine: the API, the reconcile loop and the back-end, wired together.

It may be killed at any moment. What it accepted is in the database, what it started belongs to the supervisor, and
the gateway routes without it; the next one reads all three and goes on.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import platform
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from starlette.applications import Starlette

from fairlead.backends.local.backend import LocalBackend
from fairlead.backends.local.client import SupervisorClient
from fairlead.backends.local.furnishing import Furnisher
from fairlead.backends.local.gateway.client import GatewayClient
from fairlead.backends.local.home import Home
from fairlead.control import settings as settings_module
from fairlead.control.addresses import address_of
from fairlead.control.api.admitting import Admission
from fairlead.control.api.app import build_app
from fairlead.control.api.guard import Identify
from fairlead.control.api.kinds import CLAIM, CONFIG_MAP, POD, SECRET, SERVICE_ACCOUNT, resources_of
from fairlead.control.beside import Beside
from fairlead.control.deploying import StoredPlace
from fairlead.control.doorkeeping import Doorkeeper, tokens_of
from fairlead.control.kept_plans import KeptPlans
from fairlead.control.lineage import Lineage
from fairlead.control.listening import Listener
from fairlead.control.lookup import StoreLookup
from fairlead.control.reconcile import Followed, Reconciler
from fairlead.control.registry import open_registry, own_access, serve_here
from fairlead.control.replica_logs import ReplicaLogs
from fairlead.control.seeding import seed
from fairlead.control.settings import Settings
from fairlead.control.store import Store
from fairlead.control.world import StoredWorld
from fairlead.dataplane.net.tls import server_context
from fairlead.dialects.access import access_of
from fairlead.dialects.base import Dialect, Document, Kind, World
from fairlead.dialects.bento import SHARED as BENTO_SHARED
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve import SHARED as KSERVE_SHARED
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.seldon import SeldonDialect
from fairlead.environments.building import Builder
from fairlead.errors import ConfigError, FairleadError
from fairlead.images.building import BentoImages
from fairlead.registry.owning import owner_token
from fairlead.registry.service import Registry
from fairlead.storage.fetch import Fetcher
from fairlead.storage.registry import URL

_log = logging.getLogger("fairlead.control")
_PRUNE_EVERY_S = 300.0
_REFERENCES = (SECRET, CONFIG_MAP, SERVICE_ACCOUNT, CLAIM)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlConfig:
    """Where to keep things and where to listen. `data_url` is where the gateway answers, for statuses."""

    home: Home
    host: str
    port: int
    data_url: str
    settings: Settings
    tls: ssl.SSLContext | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the control process; gives the exit status (78 when its settings cannot be used)."""
    parser = argparse.ArgumentParser(prog="python -m fairlead.control", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-url", default="")
    parser.add_argument("--config", type=Path, default=None)
    parser.add_argument("--tls-cert", type=Path, default=None)
    parser.add_argument("--tls-key", type=Path, default=None)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    home = Home(arguments.home)
    try:
        settings = settings_module.load(
            arguments.config or home.config, environ=os.environ, flags={"host": arguments.host}
        )
        config = ControlConfig(
            home=home,
            host=arguments.host,
            port=arguments.port,
            data_url=arguments.data_url,
            settings=settings,
            tls=server_context(arguments.tls_cert, arguments.tls_key, alpn=("http/1.1",)),
        )
        return uvloop.run(run_control(config))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return os.EX_CONFIG


async def run_control(config: ControlConfig) -> int:
    """Serve until SIGTERM or SIGINT."""
    config.home.prepare()
    catalog = Catalog.from_config(config.settings.catalog, config.settings.base)
    kserve = KServeDialect(external_url=config.data_url, domain=config.settings.domain)
    bento = BentoDialect(external_url=config.data_url, address=address_of(config.settings.host))
    dialects: tuple[Dialect, ...] = (SeldonDialect(external_url=config.data_url), kserve, bento)
    async with (
        _open_store(config.home) as store,
        SupervisorClient(config.home.supervisor_socket) as supervisor,
        open_registry(config.home, config.settings) as registry,
    ):
        fetcher = _fetcher(config)
        builder = _builder(config)
        backend = _backend(config, store, supervisor, fetcher, builder)
        followed = [Followed(kind=kind, dialect=dialect) for dialect in dialects for kind in dialect.kinds]
        world = StoredWorld(
            store,
            [CONFIG_MAP, SERVICE_ACCOUNT, CLAIM, *(each.kind for each in followed)],
            shared_namespaces=KSERVE_SHARED | BENTO_SHARED,
        )
        await seed(store, dialects, world)
        reconciler = Reconciler(
            store=store,
            world=world,
            kept=KeptPlans(config.home.plans),
            followed=followed,
            backend=backend,
            catalog=catalog,
            references=_REFERENCES,
            pod_kind=POD,
            node=platform.node() or "localhost",
            clock=_now,
        )
        kubernetes = _app(config, store, dialects, catalog, world, kserve.check_settings, registry.identify)
        place = _place(config, store, bento, catalog, world, kserve.check_settings)
        await serve_here(registry.registry, place)
        registry.registry.uses.append(Lineage(world, registry.registry))
        listener = Listener(
            Beside(kubernetes, registry, is_local=not config.settings.token),
            config.host,
            config.port,
            what="the API",
            tls=config.tls,
            before_stop=store.end_watches,
        )
        async with asyncio.TaskGroup() as tasks:
            doorkeeper = _doorkeeper(config, registry.registry, world)
            work = [tasks.create_task(each.run()) for each in (backend, reconciler, doorkeeper)]
            if config.settings.cache_max_bytes:
                work.append(
                    tasks.create_task(_prune_forever(fetcher, builder, backend, config.settings.cache_max_bytes))
                )
            await listener.serve_until_stopped()
            for task in work:
                task.cancel()
    return 0


@contextlib.asynccontextmanager
async def _open_store(home: Home) -> AsyncIterator[Store]:
    store = await Store.open(home.database)
    try:
        yield store
    finally:
        await store.close()


def _fetcher(config: ControlConfig) -> Fetcher:
    roots = config.settings.storage_allowed_roots
    own = {} if os.environ.get(URL) else own_access(config.home, config.settings, config.port)
    return Fetcher(config.home.cache, defaults={**os.environ, **own}, allowed_roots=roots or None)


def _builder(config: ControlConfig) -> Builder:
    folder = config.home.cache / "environments"
    return Builder(folder, environ=os.environ, may_compile=config.settings.environments_compile)


async def _prune_forever(fetcher: Fetcher, builder: Builder, backend: LocalBackend, max_bytes: int) -> None:
    """Keep the cache within its bound; what runs stays, whatever the bound."""
    while True:
        await asyncio.sleep(_PRUNE_EVERY_S)
        try:
            await asyncio.to_thread(fetcher.prune, backend.folders_in_use(), max_bytes)
            await asyncio.to_thread(builder.prune, backend.pythons_in_use(), max_bytes)
        except (OSError, FairleadError):
            _log.exception("the cache could not be pruned")


def _backend(
    config: ControlConfig, store: Store, supervisor: SupervisorClient, fetcher: Fetcher, builder: Builder
) -> LocalBackend:
    lookup = StoreLookup(
        store=store,
        kinds={kind.plural: kind for kind in _REFERENCES},
        claims=config.home.claims,
        allowed_roots=config.settings.storage_allowed_roots,
    )
    furnisher = Furnisher(builder, config.settings.environments_build)
    gateway = GatewayClient(config.home.gateway_socket)
    images = BentoImages(settings=config.settings.image_builds, environ=os.environ)
    return LocalBackend(
        config.home, supervisor, gateway, fetcher, lookup, furnisher, images=images, data_url=config.data_url
    )


def _doorkeeper(config: ControlConfig, registry: Registry, world: StoredWorld) -> Doorkeeper:
    owners = (config.settings.token, owner_token(registry.secret))
    return Doorkeeper(
        GatewayClient(config.home.gateway_socket),
        lambda: [plan.access for plan in world.plans.values()],
        tokens_of(registry.database, owners, time.time),
        time.time,
    )


def _app(
    config: ControlConfig,
    store: Store,
    dialects: Sequence[Dialect],
    catalog: Catalog,
    world: World,
    check_settings: Callable[[Document], None],
    identify: Identify,
) -> Starlette:
    by_kind = {kind: dialect for dialect in dialects for kind in dialect.kinds}
    return build_app(
        store,
        list(by_kind),
        lambda kind: by_kind[kind].open_api(kind),
        admission=_admission(dialects, catalog, world, check_settings),
        world=world,
        pods=ReplicaLogs(store=store, folder=config.home.logs),
        token=config.settings.token or None,
        identify=identify,
    )


def _admission(
    dialects: Sequence[Dialect], catalog: Catalog, world: World, check_settings: Callable[[Document], None]
) -> Admission:
    by_kind = {kind: dialect for dialect in dialects for kind in dialect.kinds}

    def admission(_operation: str, kind: Kind, new: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        dialect = by_kind.get(kind)
        if dialect is None:
            # A bad edit of the settings would stop every service at the next change: it is refused instead.
            check_settings(new)
            return new
        defaulted = dialect.default(new, world=world)
        dialect.validate(defaulted, catalog=catalog, old=old, world=world)
        access_of(defaulted)
        return defaulted

    return admission


def _place(
    config: ControlConfig,
    store: Store,
    bento: BentoDialect,
    catalog: Catalog,
    world: World,
    check_settings: Callable[[Document], None],
) -> StoredPlace:
    """Where the registry's deployments run: here."""
    return StoredPlace(
        store,
        resources_of(bento.kinds, bento.open_api, world),
        _admission((bento,), catalog, world, check_settings),
        ReplicaLogs(store=store, folder=config.home.logs),
        now=_now,
        data_url=config.data_url,
        logs=config.home.logs,
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
