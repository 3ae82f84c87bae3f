"""Seldon's JSON as a `Wire`: requests and answers are the same objects."""

import msgspec

from fairlead.errors import FairleadError
from fairlead.plan.model import Protocol
from fairlead.protocols import jsontext, seldon_v1
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.request_forms import read_json
from fairlead.protocols.tensors import as_array_payload
from fairlead.protocols.wire import Body, GraphFailed


class SeldonJson:
    """`SeldonMessage` as JSON."""

    name = Protocol.SELDON
    is_grpc = False
    is_symmetric = True

    def read_request(self, body: Body) -> Message:
        """A JSON body; the other forms a client may use are `request_forms`' business."""
        return seldon_v1.decode(read_json(body.data))

    def read_answer(self, body: Body) -> Message:
        """What a unit answered."""
        return seldon_v1.decode(jsontext.loads(body.data))

    def write_request(self, message: Message) -> Body:
        """A message for a unit."""
        return Body(seldon_v1.encode(without_tensors(message)))

    def write_answer(self, message: Message, asked: Asked | None) -> Body:  # noqa: ARG002 - the seam's signature
        """A message for a client."""
        return Body(seldon_v1.encode(without_tensors(message)))

    def failure(self, error: FairleadError) -> tuple[int, bytes]:
        """The graph's own failures look like the orchestrator's, all others like a unit's."""
        if isinstance(error, GraphFailed):
            return error.http, seldon_v1.orchestrator_failure(error.http, str(error), reason=error.reason_text)
        return seldon_v1.failure(error)


def without_tensors(message: Message) -> Message:
    """Tensors as the one array they make, or else as an object of lists by name."""
    if message.raw is not None and message.asked is not None:
        # A request of another protocol: its object means nothing here, its parts do.
        message = msgspec.structs.replace(message, raw=None)
    if message.payload.form is not Form.TENSORS:
        return message
    if len(message.payload.value) == 1:
        payload = as_array_payload(message.payload)
    else:
        payload = Payload(Form.JSON, {one.name: one.array.tolist() for one in message.payload.value})
    return Message(payload, message.meta, message.status, None, message.http_status, message.own_metrics)


SELDON_JSON = SeldonJson()
