"""The model that a gRPC message asks for, read off its bytes."""

import gzip
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest, TooLarge
from fairlead.protocols.grpc import UnknownEncoding, frame_message
from fairlead.protocols.model_names import model_name, names_model
from fairlead.protocols.protobuf_fields import nested, tag, whole

INFER = "/inference.GRPCInferenceService/ModelInfer"
LOAD = "/inference.GRPCInferenceService/RepositoryModelLoad"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
MULTI = "/tensorflow.serving.PredictionService/MultiInference"


def field(number: int, value: bytes) -> bytes:
    return nested(tag(number), value)


@pytest.mark.parametrize(
    ("path", "message", "name"),
    [
        (INFER, field(1, b"iris"), "iris"),
        (INFER, field(2, b"1") + whole(tag(9, 0), 300) + field(1, b"iris"), "iris"),
        (INFER, field(1, b"") + field(3, b"id"), None),
        (INFER, b"", None),
        (LOAD, field(1, b"repository") + field(2, b"iris"), "iris"),
        (LOAD, field(1, b"iris"), "iris"),
        (LOAD, field(1, b"") + field(2, b""), None),
        (PREDICT, field(2, b"inputs") + field(1, field(3, b"signature") + field(1, b"iris")), "iris"),
        (PREDICT, field(2, b"inputs"), None),
        (MULTI, field(1, field(1, field(1, b"iris")) + field(2, b"method")), "iris"),
        ("/seldon.protos.Seldon/Predict", field(1, b"iris"), None),
    ],
)
def test_the_name_is_found_where_the_method_has_it(path: str, message: bytes, name: str | None) -> None:
    assert model_name(path, frame_message(message)) == name


def test_the_name_in_a_compressed_message_is_found() -> None:
    packed = gzip.compress(field(1, b"iris"))
    body = b"\x01" + len(packed).to_bytes(4, "big") + packed

    assert model_name(INFER, body, encoding=b"gzip") == "iris"


@pytest.mark.parametrize("plain", [bytes(64 << 20), field(3, b"x") * 2_000_000, field(7, bytes(1 << 20))])
def test_a_message_is_not_searched_further_than_a_name_can_be(plain: bytes) -> None:
    packed = gzip.compress(plain, 1)
    started = time.process_time()

    with pytest.raises((BadRequest, TooLarge)):
        model_name(INFER, b"\x01" + len(packed).to_bytes(4, "big") + packed, encoding=b"gzip")
    with pytest.raises((BadRequest, TooLarge)):
        model_name(INFER, frame_message(plain))

    assert time.process_time() - started < 0.5


def test_tensors_of_any_size_may_follow_the_name() -> None:
    plain = field(1, b"iris") + field(7, bytes(1 << 20))
    packed = gzip.compress(plain, 1)

    assert model_name(INFER, frame_message(plain)) == "iris"
    assert model_name(INFER, b"\x01" + len(packed).to_bytes(4, "big") + packed, encoding=b"gzip") == "iris"


def test_the_rest_of_a_message_need_not_be_here() -> None:
    whole_body = frame_message(field(1, b"iris") + field(7, b"x" * 100))

    assert model_name(INFER, whole_body[:12]) == "iris"
    for cut in range(11):
        with pytest.raises(BadRequest):
            model_name(INFER, whole_body[:cut])


def test_a_repositorys_name_is_not_taken_for_the_models_that_is_to_come() -> None:
    whole_body = frame_message(field(1, b"repository") + field(2, b"iris"))

    with pytest.raises(BadRequest):
        model_name(LOAD, whole_body[: -len(field(2, b"iris"))])


def test_only_the_first_message_counts() -> None:
    with pytest.raises(BadRequest):
        model_name(INFER, frame_message(field(3, b"id"))[:-1])
    assert model_name(INFER, frame_message(field(3, b"id")) + frame_message(field(1, b"iris"))) is None


@given(st.binary(max_size=64))
def test_nonsense_is_refused_or_names_nothing(body: bytes) -> None:
    for path in (INFER, PREDICT, MULTI):
        assert names_model(path)
        try:
            name = model_name(path, body)
        except (BadRequest, TooLarge, UnknownEncoding):
            continue
        assert name is None or name
