"""`fairlead registry serve`: a registry of models and bentos, and nothing else."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from fairlead.backends.local.home import Home
from fairlead.cli import output
from fairlead.cli.configuration import read_settings
from fairlead.cli.connection import home_at
from fairlead.cli.exits import UsageError
from fairlead.cli.operator import need_libraries
from fairlead.control.settings import Settings, is_loopback

if TYPE_CHECKING:
    from fairlead.control.cluster_deploying import Target
    from fairlead.registry.service import Registry

_DATABASE = "FAIRLEAD_REGISTRY_DATABASE"


def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    database: str | None = None,
    store: str | None = None,
    transmission: Literal["proxy", "presigned_url", "presigned"] | None = None,
    public_url: str | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    deploys: Annotated[bool, Parameter(negative="")] = False,
    kubeconfig: Path | None = None,
    context: str = "",
    namespace: Annotated[list[str], Parameter(name=["--namespace", "-n"], negative="")] = [],  # noqa: B006
    home: Annotated[Path | None, Parameter(env_var="FAIRLEAD_HOME")] = None,
    config: Path | None = None,
    output_: Annotated[Literal["text", "json"], Parameter(name=["--output", "-o"])] = "text",
) -> int:
    """Serve a registry of models and bentos, and nothing else.

    Speaks the API of Yatai, so `bentoml push` and `bentoml pull` work against it. Runs until Ctrl-C.

    Parameters
    ----------
    host
        Address to listen on (default: 127.0.0.1). Everything but the health check asks for a login in any case.
    port
        Port to listen on (default: 8090; 0 chooses a free one).
    database
        Where the metadata is: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME (default: a file of the home).
    store
        Where models and bentos are kept: file:///PATH, s3://BUCKET/PREFIX, gs://… or az://… (default: a folder of the
        home).
    transmission
        How clients transfer bytes: proxy (default), presigned_url (in signed parts), presigned (in one signed request).
    public_url
        What signed addresses begin with, if it is not what requests say (behind a proxy, for instance).
    tls_cert
        PEM certificate chain: the port then speaks TLS.
    tls_key
        PEM key of the certificate, when it is not in the same file.
    deploys
        Let clients deploy to a Kubernetes cluster that Fairlead is installed in: the one whose pod this runs in, or
        that of --kubeconfig.
    kubeconfig
        How to reach that cluster; with it --deploys need not be said.
    context
        A context of the kubeconfig other than its current one.
    namespace
        Deploy to this namespace of the cluster alone; may be given several times (default: all).
    home
        Where the registry keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    output_
        text (default) or json: how to print where it serves.
    """
    place = home_at(home)
    flags = {
        "control_port": port,
        "registry_database": database,
        "registry_store": store,
        "registry_transmission": "" if transmission == "presigned" else transmission,
        "registry_public_url": public_url,
        "tls_cert": tls_cert and tls_cert.expanduser().absolute(),
        "tls_key": tls_key and tls_key.expanduser().absolute(),
    }
    settings = read_settings(place, config, flags)
    target = _target(deploys, kubeconfig, context, namespace)
    import uvloop

    return uvloop.run(_serve(place, settings, host or "127.0.0.1", output_, target))


def _target(deploys: bool, kubeconfig: Path | None, context: str, namespace: list[str]) -> "Target | None":
    """The cluster that is deployed to, if any."""
    if not deploys and kubeconfig is None:
        if context or namespace:
            raise UsageError("--context and --namespace are about a cluster: say --deploys or --kubeconfig too")
        return None
    need_libraries()
    from fairlead.control.cluster_deploying import Target

    return Target(kubeconfig=kubeconfig, context=context, namespaces=tuple(dict.fromkeys(namespace)))


async def _serve(place: Home, settings: Settings, host: str, form: str, target: "Target | None") -> int:
    # Everything that serves, and SQL: only for who serves.
    import logging

    from fairlead.control.alone import Alone
    from fairlead.control.listening import Listener
    from fairlead.control.registry import open_registry
    from fairlead.dataplane.net.tls import server_context

    logging.basicConfig(stream=sys.stderr, level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("alembic", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    place.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls = server_context(settings.tls_cert, settings.tls_key, alpn=("http/1.1",))
    async with open_registry(place, settings) as registry, _deploying(registry.registry, target) as end_waiting:
        app = Alone(registry, is_local=is_loopback(host))
        listener = Listener(app, host, settings.control_port, what="the registry", tls=tls, before_stop=end_waiting)
        scheme = "https" if tls else "http"
        announce(f"{scheme}://{_reachable(host)}:{listener.port}", place, settings, form)
        await listener.serve_until_stopped()
    return os.EX_OK


@asynccontextmanager
async def _deploying(registry: "Registry", target: "Target | None") -> AsyncIterator[Callable[[], None]]:
    """Gives what ends the waiting of clients for changes in the cluster."""
    if target is None:
        yield lambda: None
        return
    from fairlead.control.cluster_deploying import deploying

    async with deploying(registry, target) as place:
        yield place.stop


def _reachable(host: str) -> str:
    """A name for the address, for this machine when it listens on all."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def announce(url: str, place: Home, settings: Settings, form: str) -> None:
    """Where it serves and how to log in, for a person or a program."""
    token = (
        "fairlead token create" if place.root == home_at(None).root else f"fairlead token create --home {place.root}"
    )
    if settings.registry_database and _DATABASE not in os.environ:
        token = f"{_DATABASE}=… {token}"
    login = f'bentoml cloud login --endpoint {settings.registry_public_url or url} --api-token "$({token})"'
    if form == "json":
        output.say(output.document({"url": url, "home": str(place.root), "login": login}, "json"))
        return
    output.say("The registry is running.")
    for label, value in (
        ("address", url),
        ("API", f"{url}/openapi.json"),
        ("home", str(place.root)),
        ("database", _shown(settings.registry_database)),
        ("store", settings.registry_store or "in the home"),
        ("log in", login),
    ):
        output.say(f"  {label:<10} {value}")
    output.say("Ctrl-C stops it.")


def _shown(database: str) -> str:
    """A database without its password."""
    if not database:
        return "in the home"
    from fairlead.registry.db.engine import parse

    return parse(database).render_as_string(hide_password=True).replace("+aiosqlite", "").replace("+asyncpg", "")
