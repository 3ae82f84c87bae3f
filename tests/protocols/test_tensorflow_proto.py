"""TensorFlow Serving's protobuf messages to the project's and back."""

import numpy as np
import pytest

from fairlead.errors import BadRequest
from fairlead.protocols import protos
from fairlead.protocols.message import Asked, Form, Message, Output, Payload
from fairlead.protocols.tensorflow_proto import ANSWER, REQUEST, TENSORFLOW_PROTO
from fairlead.protocols.tensors import tensor
from fairlead.protocols.wire import Body

TENSORS = [tensor("b", np.array([[1, 2]])), tensor("a", np.array(["x", "ß"]))]


def test_a_request_is_read_as_it_was_written_in_the_order_of_names() -> None:
    asked = Asked("m", "3", signature="s", outputs=[Output("o")])

    back = TENSORFLOW_PROTO.read_request(
        TENSORFLOW_PROTO.write_request(Message(Payload(Form.TENSORS, TENSORS), asked=asked))
    )

    assert back.asked == asked
    assert [(one.name, one.datatype, one.array.tolist()) for one in back.payload.value] == [
        ("a", "BYTES", [b"x", "ß".encode()]),
        ("b", "INT64", [[1, 2]]),
    ]


def test_a_version_that_is_no_number_is_a_label() -> None:
    body = TENSORFLOW_PROTO.write_request(Message(Payload(Form.TENSORS, TENSORS), asked=Asked("m", "stable")))

    assert protos.parse(REQUEST, body.data).model_spec.version_label == "stable"
    back = TENSORFLOW_PROTO.read_request(body)
    assert back.asked is not None
    assert back.asked.version == "stable"


def test_an_answer_has_the_outputs_that_were_asked_for() -> None:
    asked = Asked("m", "1", signature="serving_default", outputs=[Output("b")])

    body = TENSORFLOW_PROTO.write_answer(Message(Payload(Form.TENSORS, TENSORS)), asked)

    proto = protos.parse(ANSWER, body.data)
    assert list(proto.outputs) == ["b"]
    assert (proto.model_spec.name, proto.model_spec.version.value) == ("m", 1)
    [one] = TENSORFLOW_PROTO.read_answer(body).payload.value
    assert one.array.tolist() == [[1, 2]]


def test_a_tensor_of_a_kind_that_models_do_not_take_is_refused() -> None:
    proto = protos.message(REQUEST)(inputs={"x": {"dtype": 18, "tensor_shape": {"dim": []}, "dcomplex_val": [1, 2]}})

    with pytest.raises(BadRequest, match="tensor 'x': no datatype for arrays of complex128"):
        TENSORFLOW_PROTO.read_request(Body(proto.SerializeToString()))


def test_an_answer_becomes_a_request() -> None:
    answer = TENSORFLOW_PROTO.write_answer(Message(Payload(Form.TENSORS, TENSORS)), None)

    request = TENSORFLOW_PROTO.write_request(TENSORFLOW_PROTO.read_answer(answer))

    assert sorted(protos.parse(REQUEST, request.data).inputs) == ["a", "b"]
    assert TENSORFLOW_PROTO.failure(BadRequest("x")) == (400, b"")
