"""Channels of the real gRPC client, for calls whose messages are plain bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
]


@contextmanager
def channel_to(port: int, *, certificate: bytes | None = None, **options: Any) -> Iterator[Any]:
    """A channel to a port of this machine; its methods take and give bytes when no serializers are named."""
    given = [*_OPTIONS, *((f"grpc.{name}", value) for name, value in options.items())]
    if certificate is None:
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=given)
    else:
        channel = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(certificate), options=given)
    with channel:
        yield channel
