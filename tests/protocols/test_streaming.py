"""Which bodies are handed over in pieces."""

import pytest

from fairlead.protocols.exchange import Head
from fairlead.protocols.streaming import REFLECT, STREAM_INFER, WATCH, is_streamed

GRPC = [(b"content-type", b"application/grpc+proto")]


@pytest.mark.parametrize("path", [STREAM_INFER, WATCH, *REFLECT, "/my.Own/Chat", "/"])
def test_methods_that_stream_and_those_nothing_is_known_of_come_in_pieces(path: str) -> None:
    assert is_streamed(Head("POST", path, b"", GRPC))


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/seldon.protos.Seldon/Predict", GRPC),
        ("POST", "/inference.GRPCInferenceService/ModelInfer", GRPC),
        ("POST", "/tensorflow.serving.PredictionService/Predict", GRPC),
        ("POST", "/grpc.health.v1.Health/Check", GRPC),
        ("POST", STREAM_INFER, [(b"content-type", b"application/json")]),
        ("GET", "/my.Own/Chat", GRPC),
        ("POST", "/v2/models/m/infer", []),
        ("POST", "/my.Own/Chat", [(b"content-type", b"application/grpc-web")]),
    ],
)
def test_unary_methods_and_everything_that_is_no_grpc_come_whole(
    method: str, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    assert not is_streamed(Head(method, path, b"", headers))
