"""The calls whose messages come one by one. A server has to know them before the first call arrives, so this imports
none of the services."""

from fairlead.protocols.exchange import Head

STREAM_INFER = "/inference.GRPCInferenceService/ModelStreamInfer"
REFLECT = tuple(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha"))
WATCH = "/grpc.health.v1.Health/Watch"
_STREAMED = frozenset((STREAM_INFER, WATCH, *REFLECT))


def comes_in_pieces(head: Head) -> bool:
    """Whether the body of such a request is handed over as it comes."""
    return head.path in _STREAMED
