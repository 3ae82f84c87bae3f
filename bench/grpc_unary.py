"""Unary gRPC calls: our server against grpc.aio, the floor of the Python model servers that use it.

`python -m bench.grpc_unary [--seconds N]` starts one server at a time on the first core and sends it calls of 100 bytes
on one connection from the second, 32 at a time. Both answer with what they were sent. The client is our own, because
grpcio's is slower than our server. Printed per server: calls per second and CPU microseconds per call of the server.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import uvloop

from fairlead.dataplane.graph.driving import as_future
from fairlead.dataplane.net.grpc_peer import GrpcAnswer, GrpcPeer, PeerCall
from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.spec import TcpSocket
from fairlead.protocols.exchange import Reply, Request
from fairlead.protocols.grpc import grpc_response, read_message

LIMIT_BYTES = 1 << 20
STREAMS = 32
MESSAGE = bytes(100)
SERVERS = ("ours", "grpc.aio")


def echo(request: Request, reply: Reply) -> None:
    """Our handler."""
    reply(grpc_response(read_message(request.body, limit_bytes=LIMIT_BYTES)))


async def serve(name: str) -> None:
    """Serve until killed; the port is printed."""
    if name == "ours":
        port = await HttpServer(echo).listen(TcpSocket("127.0.0.1", 0))
    else:
        server = grpc.aio.server()

        async def same(message: bytes, context: Any) -> bytes:
            return message

        methods = {"Unary": grpc.unary_unary_rpc_method_handler(same)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", methods),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
    print(port, flush=True)
    await asyncio.Event().wait()


async def load(port: int, seconds: float) -> int:
    """How many calls were answered in that time."""
    peer = GrpcPeer("127.0.0.1", port, limit_bytes=LIMIT_BYTES)
    end = time.perf_counter() + seconds

    async def wait(call: PeerCall) -> GrpcAnswer:
        return await call

    async def stream() -> int:
        count = 0
        while time.perf_counter() < end:
            answer = await as_future(wait(peer.call("/bench.Echo/Unary", [], MESSAGE, None)))
            assert answer.body == MESSAGE
            count += 1
        return count

    counts = await asyncio.gather(*(stream() for _ in range(STREAMS)))
    peer.close()
    return sum(counts)


def cpu_s(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(name: str, seconds: float) -> float:
    """Print one server's figures; its calls per second."""
    argv = ["taskset", "-c", "0", sys.executable, "-m", "bench.grpc_unary", "--serve", name]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            uvloop.run(load(port, 0.5))
            before = cpu_s(server.pid)
            count = uvloop.run(load(port, seconds))
            cpu_us = (cpu_s(server.pid) - before) / count * 1e6
        finally:
            server.kill()
    print(f"{name:10} {count / seconds:10,.0f} calls/s {cpu_us:8.1f} us of CPU per call")
    return count / seconds


def main() -> None:
    """Measure both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--serve", choices=SERVERS)
    asked = parser.parse_args()
    if asked.serve:
        uvloop.run(serve(asked.serve))
        return
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    ours, theirs = (measure(name, asked.seconds) for name in SERVERS)
    print(f"ratio      {ours / theirs:10.1f}")


if __name__ == "__main__":
    main()
