"""Where a command's words go: the options that choose a server, shared by every command that talks to one.

Without options it is the laptop's own server, by the kubeconfig that `up` wrote into its home. A real cluster is
only talked to when somebody names it: `KUBECONFIG` is not read, so no command reaches a cluster by accident.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fairlead.backends.local.home import Home
from fairlead.cli import kubeconfig, output
from fairlead.cli.client import Client, Unreachable
from fairlead.cli.exits import UsageError
from fairlead.cli.instance import find_running
from fairlead.errors import NotFound


def home_at(chosen: Path | None) -> Home:
    """The home a person means: the flag, then $FAIRLEAD_HOME, then ~/.fairlead."""
    root = chosen or Path(os.environ.get("FAIRLEAD_HOME") or "~/.fairlead")
    return Home(root.expanduser().absolute())


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Connection:
    """Which server to talk to."""

    home: Annotated[Path | None, Parameter(env_var="FAIRLEAD_HOME")] = None
    """Where the installation keeps its things (default: ~/.fairlead)."""
    kubeconfig: Path | None = None
    """Talk to the server this file names instead, for example a cluster."""
    context: str = ""
    """Context of the kubeconfig, instead of its current one."""

    def open(self) -> "Server":
        path = self.kubeconfig or home_at(self.home).kubeconfig
        if self.kubeconfig is None and not path.exists():
            raise Unreachable(f"nothing has been started in {path.parent} yet; start it with `fairlead up`")
        if self.kubeconfig is None and find_running(home_at(self.home)) is None:
            raise Unreachable(f"Fairlead is not running in {path.parent}; `fairlead up` starts it")
        return Server(Client(kubeconfig.read(path, context=self.context), warn=_warn), self)


def _warn(text: str) -> None:
    output.note(f"warning: {text}")


@dataclass(frozen=True)
class Server:
    """An open connection, and what we know of the other end."""

    client: Client
    chosen: Connection

    @property
    def namespace(self) -> str:
        return self.client.target.namespace

    @property
    def is_local(self) -> bool:
        return self.chosen.kubeconfig is None

    def knows(self, url: str) -> bool:
        """Whether an https address is of the instance on this machine, whose certificate we trust for its API."""
        running = find_running(home_at(self.chosen.home)) if self.is_local and self.client.target.ca else None
        return running is not None and url.startswith(f"{running.url}/")

    def data_url(self, asked: str = "") -> str:
        """Where predictions go: what was asked for, $FAIRLEAD_URL, or what the running instance says."""
        if url := asked or os.environ.get("FAIRLEAD_URL", ""):
            if not url.startswith(("http://", "https://")):
                raise UsageError(f"{url!r} is no http(s) address")
            return url.rstrip("/")
        if not self.is_local:
            raise UsageError("a kubeconfig does not say where predictions go: give --url or set FAIRLEAD_URL")
        running = find_running(home_at(self.chosen.home))
        if running is None:
            raise NotFound("Fairlead is not running; start it with `fairlead up`")
        return running.url
