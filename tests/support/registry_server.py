"""A registry's API on a real port: in a thread of this process with everything at hand, or as the command that users
run, to be killed."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import requests
import uvicorn

from fairlead.control.alone import Alone
from fairlead.control.direct import DirectProtocol
from fairlead.registry.accounts.config import AccountsConfig
from fairlead.registry.accounts.people import NewUser
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.accounts.tokens import NewToken
from fairlead.registry.api.app import RegistryApp
from fairlead.registry.api.composing import build_app
from fairlead.registry.callers import ALL_SCOPES, Role
from fairlead.registry.db.engine import Database
from fairlead.registry.owning import owner_token
from fairlead.registry.service import Registry, RegistryConfig
from support.accounts import CHEAP

_T = TypeVar("_T")
NEWEST, OLDEST = "1.4.39", "1.0.22"


@cache
def _empty_database() -> Path:
    """A database with its tables: making them takes longer than most tests."""
    path = Path(tempfile.mkdtemp(prefix="fairlead-registry-")) / "empty.db"

    async def make() -> None:
        await (await Database.open(f"sqlite:///{path}")).close()

    asyncio.run(make())
    return path


def prepare(folder: Path) -> Path:
    """A home whose registry's database has its tables."""
    place = folder / "registry"
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "registry.db").exists():
        shutil.copyfile(_empty_database(), place / "registry.db")
    return folder


@dataclass
class Http:
    """Requests to a registry, as a client of BentoML's sends them."""

    url: str
    token: str = ""
    version: str = NEWEST
    session: requests.Session = field(default_factory=requests.Session)

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        headers = {"X-YATAI-API-TOKEN": self.token} if self.token else {}
        headers |= {"X-Bentoml-Version": self.version} if self.version else {}
        headers |= more.pop("headers", {})
        if body is not None:
            more["json"] = body
        return self.session.request(method, self.url + path, headers=headers, timeout=30, **more)

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The answer's value; clients of BentoML take no status but 200 for success."""
        response = self(method, path, body, **more)
        assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def saying(self, version: str) -> "Http":
        """The same caller with another client."""
        return Http(self.url, self.token, version, self.session)

    def by(self, token: str) -> "Http":
        """Somebody else."""
        return Http(self.url, token, self.version)


@dataclass
class Clock:
    """The time, which a test may let pass."""

    ahead_s: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@dataclass
class RegistryServer:
    """A registry in a thread of its own."""

    url: str
    folder: Path
    registry: Registry
    accounts: Accounts
    app: RegistryApp
    loop: asyncio.AbstractEventLoop
    clock: Clock

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Something of the services, in the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    @property
    def http(self) -> Http:
        """The owner's requests."""
        return Http(self.url, self.owner)

    @property
    def owner(self) -> str:
        """The token of whoever runs the registry."""
        return owner_token(self.registry.secret)

    def token(self, user: str = "ada", role: Role = Role.DEVELOPER, *, lasts_s: float | None = None) -> str:
        """A token of a person, who is made if there is none of the name."""
        return self.run(self._token(user, role, lasts_s))

    async def _token(self, user: str, role: Role, lasts_s: float | None) -> str:
        owner = await self.accounts.people.owner()
        known = await self.accounts.people.list(owner)
        if all(each.name != user for each in known.items):
            await self.accounts.people.create(owner, NewUser(name=user, email=f"{user}@example.com", role=role))
        expires = None if lasts_s is None else self.registry.clock() + lasts_s
        new = NewToken(name=f"token-{os.urandom(4).hex()}", scopes=(ALL_SCOPES,), namespaces=(), expires_at=expires)
        return (await self.accounts.tokens.create(owner, new, user=user))[1]


@contextmanager
def registry_server(
    folder: Path, config: RegistryConfig | None = None, accounts: AccountsConfig | None = None
) -> Iterator[RegistryServer]:
    """Serve a registry below `folder` until the block ends."""
    home = prepare(folder)
    chosen = config or RegistryConfig.of_home(home / "registry")
    ready: threading.Event = threading.Event()
    found: dict[str, Any] = {}

    def serve() -> None:
        try:
            asyncio.run(_serve(folder, chosen, accounts or AccountsConfig(), found, ready))
        except BaseException as error:
            found["error"] = error
            ready.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    ready.wait(30)
    if "error" in found:
        raise found["error"]
    try:
        yield found["server"]
    finally:
        found["server"].loop.call_soon_threadsafe(found["stop"])
        thread.join(20)


async def _serve(
    folder: Path, config: RegistryConfig, accounts_config: AccountsConfig, found: dict[str, Any], ready: threading.Event
) -> None:
    clock = Clock()
    async with _opened(config, accounts_config, clock) as (registry, accounts):
        app = build_app(registry, accounts)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        options = uvicorn.Config(
            Alone(app, is_local=True),
            http=DirectProtocol,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(options)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        found["server"] = RegistryServer(
            url=url,
            folder=folder,
            registry=registry,
            accounts=accounts,
            app=app,
            loop=asyncio.get_running_loop(),
            clock=clock,
        )
        found["stop"] = lambda: setattr(server, "should_exit", True)
        asyncio.get_running_loop().call_soon(ready.set)
        await server._serve([listener])
        listener.close()


@asynccontextmanager
async def _opened(
    config: RegistryConfig, accounts: AccountsConfig, clock: Clock
) -> AsyncIterator[tuple[Registry, Accounts]]:
    async with (
        Registry.open(config, clock=clock) as registry,
        Accounts.open(registry.database, accounts, registry.secret, clock=clock, hasher=CHEAP) as opened,
    ):
        yield registry, opened


@dataclass
class RegistryProcess:
    """`fairlead registry serve`."""

    url: str
    home: Path
    process: "subprocess.Popen[str]"

    @property
    def token(self) -> str:
        """The owner's."""
        return owner_token((self.home / "registry" / "secret_key").read_bytes().strip())

    @property
    def http(self) -> Http:
        """The owner's requests."""
        return Http(self.url, self.token)

    def kill(self) -> None:
        """There and then."""
        self.process.kill()
        self.process.wait()


@contextmanager
def registry_process(
    home: Path, *flags: str, env: Mapping[str, str] | None = None, port: int = 0, wrapper: tuple[str, ...] = ()
) -> Iterator[RegistryProcess]:
    """The command, from its first line to its end."""
    prepare(home)
    argv = [*wrapper, sys.executable, "-m", "fairlead.cli.app", "registry", "serve", "--home", str(home), "-o", "json"]
    surroundings = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
    process = subprocess.Popen(
        [*argv, "--port", str(port), *flags],
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    # Nobody reads what it says after its first lines; a full pipe would stop it.
    reading = threading.Thread(target=process.stderr.read, daemon=True)
    try:
        told = _document(process)
        reading.start()
        yield RegistryProcess(url=told["url"], home=home, process=process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        if reading.is_alive():
            reading.join(20)
        process.stdout.close()
        process.stderr.close()


def _document(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """The lines of one JSON document, as soon as it is whole."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        try:
            told: dict[str, Any] = json.loads(text)
        except ValueError:
            continue
        return told
    assert process.stderr is not None
    raise AssertionError(f"the registry did not start: {text}{process.stderr.read()}")
