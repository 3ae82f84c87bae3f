"""`fairlead up`: start this machine's instance, in the foreground or detached."""

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

from cyclopts import Parameter

from fairlead.backends.local.home import Home
from fairlead.cli import output
from fairlead.cli.configuration import read_settings
from fairlead.cli.connection import Connection, home_at
from fairlead.cli.exits import CommandFailed
from fairlead.cli.instance import Instance, Running
from fairlead.cli.kinds import find
from fairlead.cli.live import show_all_until
from fairlead.cli.watching import Feed


def up(
    *,
    host: str | None = None,
    port: int | None = None,
    grpc_port: int | None = None,
    control_port: int | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    home: Annotated[Path | None, Parameter(env_var="FAIRLEAD_HOME")] = None,
    config: Path | None = None,
    detach: Annotated[bool, Parameter(name=["--detach", "-d"], negative="")] = False,
    output_: Annotated[Literal["text", "json"], Parameter(name=["--output", "-o"])] = "text",
) -> int:
    """Start Fairlead on this machine.

    Runs until Ctrl-C, or in the background with --detach.

    Parameters
    ----------
    host
        Address to listen on (default: 127.0.0.1). Any other needs a token: see FAIRLEAD_TOKEN.
    port
        Port for predictions over HTTP (default: 8080; 0 chooses a free one). Takes gRPC too.
    grpc_port
        Port where gRPC clients look (default: 8081). Serves the same as the other.
    control_port
        Port of the Kubernetes-shaped API (default: 8090).
    tls_cert
        PEM certificate chain: every port then speaks TLS. It is loaded again when the file changes.
    tls_key
        PEM key of the certificate, when it is not in the same file.
    home
        Where the installation keeps its things (default: ~/.fairlead).
    config
        Configuration file (default: config.toml in the home).
    detach
        Return when it serves, and leave it running.
    output_
        text (default) or json: how to print where it serves.
    """
    flags = {
        "host": host,
        "port": port,
        "grpc_port": grpc_port,
        "control_port": control_port,
        "tls_cert": tls_cert and tls_cert.expanduser().absolute(),
        "tls_key": tls_key and tls_key.expanduser().absolute(),
    }
    place = home_at(home)
    found = read_settings(place, config, flags)
    with interrupted_by_termination():
        instance = Instance(place, found, config=config and config.absolute(), is_detached=detach)
        try:
            running = instance.wait_until_serving()
            if not detach:
                announce(running, output_, is_detached=False)
                return _serve(instance, place, has_view=output_ == "text" and output.is_person())
        except KeyboardInterrupt:
            if not detach:
                output.note("\nStopping.")
            instance.stop()
            return 0
        except BaseException:
            instance.stop()
            raise
    # It runs now, and goes on although nobody may read where (`fairlead up --detach | head -1`).
    announce(running, output_, is_detached=True)
    return 0


def _serve(instance: Instance, home: Home, *, has_view: bool) -> int:
    if has_view:
        client = Connection(home=home.root).open().client
        # Control may be restarted while somebody looks; the view picks up again, however long it takes.
        feed = Feed(resource=find(client, "SeldonDeployment"), patience_s=math.inf)
        show_all_until(instance.has_ended, client.target, feed)
    code = instance.wait()
    if code:
        raise CommandFailed(instance.why_it_ended())
    return 0


def announce(running: Running, form: str, *, is_detached: bool) -> None:
    """Where it serves, for a person or a program."""
    if form == "json":
        output.say(output.document(running.as_document(), "json"))
        return
    output.say("Fairlead is running.")
    for label, value in (
        ("predictions", running.url),
        ("gRPC", running.grpc),
        ("API", running.control_url),
        ("home", str(running.home.root)),
        ("kubectl", f"export KUBECONFIG={running.home.kubeconfig}"),
    ):
        output.say(f"  {label:<12} {value}")
    output.say("`fairlead down` stops it." if is_detached else "Ctrl-C stops it.")


@contextmanager
def interrupted_by_termination() -> Iterator[None]:
    """SIGTERM and SIGHUP end us as Ctrl-C does, so that what we started is stopped in order whoever asks."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
