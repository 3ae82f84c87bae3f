"""`classify` and `regress` of TensorFlow Serving: examples in, labels with scores or one value each out."""

from typing import Any

import numpy as np

from fairlead.errors import BadRequest, UnitFailed
from fairlead.protocols import tf_example
from fairlead.protocols.json_tensors import values_of
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensorflow_rest import read_object, signature_of
from fairlead.protocols.tensors import Tensor, tensor
from fairlead.runtimes.base import Signature

CLASSIFY, REGRESS = "classify", "regress"
_NOUNS = {CLASSIFY: "classification", REGRESS: "regression"}


def message_of(body: bytes, verb: str, signatures: dict[str, Signature], *, default: str) -> Message:
    """The request as the signature takes it: one tensor of serialized examples. Raises `BadRequest`."""
    value = read_object(body)
    name = signature_of(value) or default
    signature = signatures.get(name)
    if signature is None:
        offered = ", ".join(signatures)
        raise BadRequest(f'Serving signature name: "{name}" not found in signature def; it has: {offered}')
    if signature.method != f"tensorflow/serving/{verb}" or len(signature.inputs) != 1:
        raise BadRequest(
            f"Expected {_NOUNS[verb]} signature method_name to be tensorflow/serving/{verb}. Was: {signature.method}"
        )
    if "examples" not in value:
        raise BadRequest("When method is classify or regress, key 'examples' is expected and was not found")
    examples = tf_example.serialized(value["examples"], value.get("context"))
    given = [tensor(signature.inputs[0].name, examples)]
    return Message(Payload(Form.TENSORS, given), raw=value, asked=Asked(signature=name))


def results_of(message: Message, verb: str) -> dict[str, Any]:
    """What a client of `classify` or `regress` gets. Raises `UnitFailed` for outputs that the method does not have."""
    if message.payload.form is not Form.TENSORS:
        raise UnitFailed(f"the model gave no outputs of a {_NOUNS[verb]} signature")
    outputs = {one.name: one for one in message.payload.value}
    return {"results": _classes(outputs) if verb == CLASSIFY else _values(outputs)}


def _classes(outputs: dict[str, Tensor]) -> list[Any]:
    labels, scores = outputs.get("classes"), outputs.get("scores")
    known = [one for one in (labels, scores) if one is not None]
    if not known or any(one.array.ndim != 2 for one in known) or len({one.array.shape for one in known}) != 1:
        raise UnitFailed("expected the outputs classes and scores, of shape [examples, classes] each")
    shape = known[0].array.shape
    words = values_of(labels.array) if labels is not None else np.full(shape, "").tolist()
    numbers = scores.array if scores is not None else np.zeros(shape, np.float32)
    return [
        [[word, number] for word, number in zip(row, given, strict=True)]
        for row, given in zip(words, numbers, strict=True)
    ]


def _values(outputs: dict[str, Tensor]) -> Any:
    found = outputs.get("outputs")
    if found is None or found.array.ndim not in (1, 2) or (found.array.ndim == 2 and found.array.shape[1] != 1):
        raise UnitFailed("expected the output named outputs, of shape [examples] or [examples, 1]")
    return np.ascontiguousarray(found.array.reshape(-1))
