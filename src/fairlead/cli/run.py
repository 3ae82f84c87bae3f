"""`fairlead run`: a private instance for as long as one command runs. Made for CI."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fairlead.backends.local.home import Home
from fairlead.cli import bento_files, output
from fairlead.cli.apply import apply_documents
from fairlead.cli.configuration import read_settings
from fairlead.cli.connection import Connection
from fairlead.cli.durations import seconds
from fairlead.cli.exits import CommandFailed, Exit
from fairlead.cli.following import wait_until_ready
from fairlead.cli.instance import Instance, Running
from fairlead.cli.manifests import read_documents
from fairlead.cli.up import interrupted_by_termination
from fairlead.cli.watching import Subject


def run(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True)],
    file: Annotated[
        list[str] | None, Parameter(name=["--filename", "-f"], negative="", allow_leading_hyphen=True)
    ] = None,
    config: Path | None = None,
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "default",
    timeout: str = "10m",
    home: Path | None = None,
    port: int = 0,
    control_port: int = 0,
) -> int:
    """Start a private instance, apply manifests, wait until they are ready, run a command, tear down.

    Without -f the first word is a bento to serve: a .bento file, or a folder with a bento.yaml.

    The command sees FAIRLEAD_URL (predictions), FAIRLEAD_GRPC (the same for gRPC, as host and port), FAIRLEAD_HOME and
    KUBECONFIG, and its exit code is passed on.
    Without a command it serves until Ctrl-C.

    Parameters
    ----------
    command
        What to run, after --.
    file
        A file, a folder, a URL, or - for standard input; may be given several times. A bento that lies here stands for
        the manifest that serves it.
    config
        Configuration file with images and servers of your own.
    namespace
        Namespace for objects that name none (default: default).
    timeout
        Longest wait until everything is ready, such as 90s (default: 10m).
    home
        Keep the instance's things here (default: a temporary folder that is removed).
    port
        Port for predictions (default: a free one).
    control_port
        Port of the Kubernetes-shaped API (default: a free one).
    """
    timeout_s = seconds(timeout)
    files, command = _told(file, command)
    documents = read_documents(files)
    flags = {"port": port, "grpc_port": 0, "control_port": control_port, "host": "127.0.0.1"}
    with interrupted_by_termination(), _folder(home) as place:
        settings = replace(read_settings(place, config, flags))
        instance = Instance(place, settings, config=config and config.absolute(), is_detached=False)
        try:
            running = instance.wait_until_serving()
            server = Connection(home=place.root, kubeconfig=place.kubeconfig).open()
            subjects = apply_documents(server, documents, namespace=namespace)
            wait_until_ready(server.client.target, subjects, timeout_s=timeout_s)
            if command:
                return _run(command, running)
            _announce(subjects, running)
            instance.wait()
            raise CommandFailed(instance.why_it_ended())
        except KeyboardInterrupt:
            return Exit.INTERRUPTED if command else Exit.OK
        finally:
            instance.stop()


def _told(file: list[str] | None, command: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
    """What to apply, and what to run."""
    if file:
        return file, command
    if command and bento_files.is_one(command[0]):
        return [command[0]], command[1:]
    raise CommandFailed(
        "nothing to serve: name manifests with -f, or a bento (a .bento file, or a folder with bento.yaml)"
    )


@contextmanager
def _folder(home: Path | None) -> Iterator[Home]:
    if home is not None:
        yield Home(home.expanduser().absolute())
        return
    with tempfile.TemporaryDirectory(prefix="fairlead-run-") as folder:
        yield Home(Path(folder))


def _run(command: Sequence[str], running: Running) -> int:
    """The command's exit code; as shells count it when a signal ended it."""
    env = {
        **os.environ,
        "FAIRLEAD_URL": running.url,
        "FAIRLEAD_GRPC": running.grpc,
        "FAIRLEAD_HOME": str(running.home.root),
        "KUBECONFIG": str(running.home.kubeconfig),
    }
    sys.stdout.flush()
    try:
        process = subprocess.Popen(list(command), env=env)
    except OSError as problem:
        raise CommandFailed(f"{command[0]}: {problem.strerror}", code=127) from problem
    code = _wait(process)
    return 128 - code if code < 0 else code


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Ctrl-C reaches the command from the terminal; a termination of ours is passed on. Either way it decides how
    to end, and we wait for it."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)


def _announce(subjects: Sequence[Subject], running: Running) -> None:
    for subject in subjects:
        if subject.resource.kind == "SeldonDeployment":
            output.say(f"{running.url}/seldon/{subject.namespace}/{subject.name}/api/v1.0/predictions")
        if subject.resource.kind == "BentoDeployment":
            output.say(f"{running.url}/bento/{subject.namespace}/{subject.name}/")
    output.say(f"export KUBECONFIG={running.home.kubeconfig}")
    output.say("Ctrl-C stops it.")
