"""One installation on this machine: starts its supervisor, says what it serves, stops it."""

import fcntl
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from fairlead.backends.local.home import Home
from fairlead.cli.exits import CommandFailed, TimedOut
from fairlead.cli.ports import settle
from fairlead.cli.trust import name_to_check, read_certificates
from fairlead.control.api.kubeconfig import write_kubeconfig
from fairlead.control.settings import Settings
from fairlead.errors import Conflict

_POLL_S = 0.02
_START_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A living instance, as its supervisor describes it."""

    pid: int
    url: str
    control_url: str
    home: Home
    grpc: str = ""
    """Host and port for gRPC clients, which take no address with a scheme."""

    def as_document(self) -> dict[str, Any]:
        """What `-o json` prints; the keys are stable."""
        return {
            "url": self.url,
            "controlUrl": self.control_url,
            "grpc": self.grpc,
            "home": str(self.home.root),
            "kubeconfig": str(self.home.kubeconfig),
            "pid": self.pid,
        }


def find_running(home: Home) -> Running | None:
    """The instance of this home, if its supervisor lives. The lock tells, because a pid may have a new owner."""
    if not _is_locked(home):
        return None
    try:
        found = json.loads(home.instance.read_text())
        return Running(
            pid=found["pid"], url=found["url"], control_url=found["controlUrl"], home=home, grpc=found.get("grpc", "")
        )
    except (OSError, ValueError, KeyError):
        return None


def _is_locked(home: Home) -> bool:
    try:
        descriptor = os.open(home.lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class Instance:
    """A supervisor that we started. Stops with us unless it is detached."""

    def __init__(self, home: Home, settings: Settings, *, config: Path | None, is_detached: bool) -> None:
        self._home = home
        # Before its ports are looked at: the program that holds them may be our own.
        _refuse_second(home)
        ports = {"--port": settings.port, "--grpc-port": settings.grpc_port, "--control-port": settings.control_port}
        self._order = _order(home, settings, settle(settings.host, ports), config=config, is_detached=is_detached)
        self._token = settings.token
        self._authority = _certificates_of(settings)
        self._is_detached = is_detached
        self._process = self._start(settings)

    @property
    def url(self) -> str:
        return str(self._order["instance"]["url"])

    @property
    def control_url(self) -> str:
        return str(self._order["instance"]["controlUrl"])

    def wait_until_serving(self) -> Running:
        """Return when both the API and the data port answer. Raises `CommandFailed` with the log's last words."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        deadline = time.monotonic() + _START_TIMEOUT_S
        waiting = [(f"{self.control_url}/api", headers), (f"{self.url}/", {})]
        while waiting:
            if self._process.poll() is not None:
                raise CommandFailed(self._last_words())
            if time.monotonic() > deadline:
                self.stop()
                raise TimedOut(f"{waiting[0][0]} did not answer within {_START_TIMEOUT_S:g} s; see {self._home.logs}")
            if _answers(*waiting[0]):
                waiting.pop(0)
            else:
                time.sleep(_POLL_S)
        # Only now: a second `up` at the same moment that loses the home must not leave its ports in the winner's file.
        write_kubeconfig(
            self._home.kubeconfig,
            self.control_url,
            self._token or None,
            authority=self._authority,
            tls_name=self._tls_name(),
        )
        grpc = str(self._order["instance"]["grpc"])
        return Running(pid=self._process.pid, url=self.url, control_url=self.control_url, home=self._home, grpc=grpc)

    def _tls_name(self) -> str:
        if not self._authority:
            return ""
        parts = urllib.parse.urlsplit(self.control_url)
        return name_to_check(parts.hostname or "", parts.port or 0, self._authority)

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> int:
        """Until the supervisor ends by itself; its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """Ask it to stop and wait. Ctrl-C meanwhile asks again, which ends everything at once."""
        while self._process.poll() is None:
            try:
                self._process.send_signal(signal.SIGTERM)
                self._process.wait()
            except KeyboardInterrupt:
                continue

    def why_it_ended(self) -> str:
        return self._last_words()

    def _start(self, settings: Settings) -> "subprocess.Popen[bytes]":
        self._home.prepare()
        log = self._log()
        if log.exists() and log.stat().st_size > settings.log_max_bytes:
            log.replace(log.with_suffix(".log.1"))
        with _private(log, os.O_APPEND) as output:
            self._said_before = log.stat().st_size
            process = subprocess.Popen(
                [sys.executable, "-m", "fairlead.cli.supervise"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                # Ctrl-C is for us; we tell the supervisor in our own way, and a detached one outlives the terminal.
                start_new_session=True,
            )
        assert process.stdin is not None
        process.stdin.write(json.dumps(self._order).encode() + b"\n")
        process.stdin.flush()
        if self._is_detached:
            process.stdin.close()
        return process

    def _log(self) -> Path:
        return self._home.logs / "supervisor.log"

    def _last_words(self) -> str:
        with self._log().open("rb") as log:
            log.seek(self._said_before)
            said = log.read().decode(errors="replace").strip().splitlines()
        return "Fairlead did not start:\n" + "\n".join(f"  {line}" for line in said[-5:]) + f"\nSee {self._home.logs}"


def stop_running(running: Running, *, timeout_s: float) -> None:
    """Stop an instance that somebody else started, and return when it is gone. Raises `TimedOut`."""
    deadline = time.monotonic() + timeout_s
    os.kill(running.pid, signal.SIGTERM)
    while _is_locked(running.home):
        if time.monotonic() > deadline:
            raise TimedOut(
                f"process {running.pid} has not ended within {timeout_s:g} s; it may still finish requests. "
                "`fairlead down` again ends it at once"
            )
        time.sleep(_POLL_S)


def _refuse_second(home: Home) -> None:
    running = find_running(home)
    if running is not None:
        raise Conflict(
            f"Fairlead runs in {home.root} already: {running.url} (process {running.pid}); "
            "`fairlead down` stops it, --home starts another"
        )


def _certificates_of(settings: Settings) -> bytes:
    """What clients have to trust. A pair that no listener could use is refused here, before anything starts."""
    if settings.tls_cert is None:
        return b""
    from fairlead.dataplane.net.tls import server_context

    found = read_certificates(settings.tls_cert)
    server_context(settings.tls_cert, settings.tls_key)
    return found


def _order(
    home: Home, settings: Settings, ports: Mapping[str, int], *, config: Path | None, is_detached: bool
) -> dict[str, Any]:
    """What the supervisor is told; `fairlead.cli.supervise` reads it."""
    host = settings.host
    shown = f"[{host}]" if ":" in host else {"0.0.0.0": "127.0.0.1"}.get(host, host)  # noqa: S104 - only compared
    scheme = "https" if settings.tls_cert is not None else "http"
    url, control_url = f"{scheme}://{shown}:{ports['--port']}", f"{scheme}://{shown}:{ports['--control-port']}"
    tls = ["--tls-cert", str(settings.tls_cert)] if settings.tls_cert is not None else []
    tls += ["--tls-key", str(settings.tls_key)] if settings.tls_key is not None else []
    control = [sys.executable, "-m", "fairlead.control", "--home", str(home.root), "--host", host]
    control += ["--port", str(ports["--control-port"]), "--data-url", url]
    control += ["--config", str(config)] if config else []
    control += tls
    gateway = [sys.executable, "-m", "fairlead.backends.local.gateway", "--host", host]
    gateway += ["--port", str(ports["--port"]), "--grpc-port", str(ports["--grpc-port"]), *tls]
    gateway += ["--inside", str(home.inside_socket)]
    gateway += ["--admin", str(home.gateway_socket), "--table", str(home.routes)]
    return {
        "home": str(home.root),
        "control": control,
        "gateway": gateway,
        "env": {"FAIRLEAD_TOKEN": settings.token} if settings.token else {},
        "observation": settings.observation,
        "instance": {
            "url": url,
            "controlUrl": control_url,
            "grpc": f"{shown}:{ports['--grpc-port']}",
            "port": ports["--port"],
            "grpcPort": ports["--grpc-port"],
            "controlPort": ports["--control-port"],
        },
        "log_max_bytes": settings.log_max_bytes,
        "log_files": settings.log_files,
        "is_detached": is_detached,
    }


def _private(path: Path, flags: int) -> BinaryIO:
    """A file to write that only its owner may read, from its first moment."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600), "wb")


def _connection(parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    # We ask whether what we just started answers; whether clients can trust it is looked at once it does.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=5, context=context)


def _answers(url: str, headers: Mapping[str, str]) -> bool:
    parts = urllib.parse.urlsplit(url)
    connection = _connection(parts)
    try:
        connection.request("GET", parts.path, headers=dict(headers))
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
