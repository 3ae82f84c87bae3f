"""`python -m fairlead.backends.local.gateway`: run one gateway until SIGTERM or SIGINT, then drain."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from fairlead.backends.local.gateway.process import Gateway, Settings
from fairlead.dataplane.access_policy import VARIABLE
from fairlead.dataplane.spec import TcpSocket
from fairlead.errors import ConfigError
from fairlead.protocols.http1 import Limits


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; gives the exit status. EX_CONFIG tells the supervisor that starting it again will not help."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = Settings(
        where=TcpSocket(options.host, options.port),
        also=TcpSocket(options.host, options.grpc_port) if options.grpc_port is not None else None,
        inside=options.inside,
        admin=options.admin,
        table=options.table,
        tls_certificate=options.tls_cert,
        tls_key=options.tls_key,
        max_body_bytes=options.max_body_bytes,
        access_log=os.environ.get(VARIABLE, "off"),
        tracing=os.environ,
    )
    try:
        uvloop.run(_serve(settings, grace_s=options.grace))
    except ConfigError as error:
        print(f"fairlead gateway: {error}", file=sys.stderr)
        return os.EX_CONFIG
    return 0


async def _serve(settings: Settings, *, grace_s: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gateway = Gateway(settings)
    await gateway.start()
    scheme = "https" if settings.tls_certificate else "http"
    assert isinstance(settings.where, TcpSocket)
    host = f"[{settings.where.host}]" if ":" in settings.where.host else settings.where.host
    print(f"fairlead gateway: serving on {scheme}://{host}:{gateway.port}", flush=True)
    if gateway.grpc_port:
        print(f"fairlead gateway: and on {scheme}://{host}:{gateway.grpc_port}", flush=True)
    # What is loaded now stays; the collector need not walk it on the way of every few thousand requests.
    gc.freeze()
    await stop.wait()
    await gateway.drain(grace_s)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fairlead.backends.local.gateway", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address of the data port")
    parser.add_argument("--port", type=int, default=8080, help="the data port; 0 lets the system choose")
    parser.add_argument("--grpc-port", type=int, help="a second port for the same; both take HTTP/1.1, HTTP/2 and gRPC")
    parser.add_argument("--inside", type=Path, help="path of the socket for workers that ask other services")
    parser.add_argument("--admin", type=Path, required=True, help="path of the admin socket")
    parser.add_argument("--table", type=Path, required=True, help="file that holds the last table")
    parser.add_argument("--tls-cert", type=Path, help="PEM certificate chain; the data port then speaks TLS")
    parser.add_argument("--tls-key", type=Path, help="PEM key of the certificate, if it is not in the same file")
    parser.add_argument("--grace", type=float, default=20.0, help="seconds to finish requests after SIGTERM")
    parser.add_argument("--max-body-bytes", type=int, default=Limits().body_bytes, help="largest request body")
    return parser


if __name__ == "__main__":
    sys.exit(main())
