"""Servers of the real gRPC implementation whose messages are plain bytes."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

Method = Callable[[bytes, Any], bytes]


class _ByPath(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    def __init__(self, methods: dict[str, Method]) -> None:
        self._methods = methods

    def service(self, details: Any) -> Any:
        method = self._methods.get(details.method)
        return grpc.unary_unary_rpc_method_handler(method) if method is not None else None


class GrpcServer:
    """A server that can stop and start again on its port."""

    def __init__(self, methods: dict[str, Method], **options: Any) -> None:
        self._methods = methods
        self._options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            *((f"grpc.{name}", value) for name, value in options.items()),
        ]
        self.port = 0
        self._server: Any = None

    def start(self) -> None:
        server = grpc.server(ThreadPoolExecutor(8), handlers=[_ByPath(self._methods)], options=self._options)
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        server.start()
        self._server = server

    def stop(self, grace_s: float = 0) -> threading.Event:
        """Stop; the event is set when that is done."""
        event: threading.Event = self._server.stop(grace_s)
        return event


@contextmanager
def grpc_server(methods: dict[str, Method], **options: Any) -> Iterator[GrpcServer]:
    """A running one."""
    server = GrpcServer(methods, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop().wait(10)
