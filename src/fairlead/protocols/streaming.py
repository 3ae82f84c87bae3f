"""Which requests have bodies that are handed over in pieces: one list, for the gateway and for its workers.

A gRPC method streams when its schema says so. Of the services we serve we know that; of every other service nothing is
known, and a unary call handed over as a stream of one message is right too, so all of those are streams. Nothing but
gRPC is: a REST body is read whole, whatever its length was said to be.
"""

from fairlead.protocols import grpc
from fairlead.protocols.exchange import Head

STREAM_INFER = "/inference.GRPCInferenceService/ModelStreamInfer"
REFLECT = tuple(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha"))
WATCH = "/grpc.health.v1.Health/Watch"
_STREAMS = frozenset((STREAM_INFER, WATCH, *REFLECT))
_OUR_PACKAGES = ("/seldon.protos.", "/inference.GRPCInferenceService/", "/tensorflow.serving.", "/grpc.health.v1.")


def is_grpc(head: Head) -> bool:
    """Whether this is a gRPC call: a POST of application/grpc, with any suffix."""
    if head.method != "POST":
        return False
    return any(name == b"content-type" and grpc.is_grpc(value) for name, value in head.headers)


def is_streamed(head: Head) -> bool:
    """Whether the body of such a request comes in pieces."""
    if head.path.startswith(_OUR_PACKAGES) and head.path not in _STREAMS:
        return False
    return is_grpc(head)
