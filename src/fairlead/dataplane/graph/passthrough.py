"""Units that are asked with the body as it came and write the body of the answer themselves."""

from time import perf_counter

from fairlead.dataplane.graph.parcel import JSON, Parcel, Walk
from fairlead.dataplane.graph.proto_unit import ProtoUnit
from fairlead.plan.model import Method
from fairlead.protocols.message import Message
from fairlead.protocols.seldon_json import SELDON_JSON
from fairlead.protocols.wire import Body

_OCTETS = b"application/octet-stream"
_FORMS = frozenset((b"multipart/form-data", b"application/x-www-form-urlencoded"))


class PassthroughUnit(ProtoUnit):
    """A user's class with PAYLOAD_PASSTHROUGH=true: `predict_raw` gets the bytes of a prediction's body, whatever its
    Content-Type says, and the bytes it returns are the answer's body. Nothing is decoded, checked, escaped or added.

    - A body with a Content-Encoding is handed over compressed, and an answer never has one.
    - An answer has the Content-Type of what was asked, so JSON is answered as JSON and octets as octets. It is
      application/json when the request named none, and application/octet-stream when it was a form, which an answer
      cannot be.
    - After another unit of this worker the bytes are that unit's answer as JSON; a unit after this one reads its
      bytes as JSON.

    A dict is a message as it would be without the variable. Where `predict_raw` is not implemented, `predict` is asked
    as ever; so are all other methods. Over gRPC `predict_raw` gets the protobuf message, as without the variable.
    """

    def at_once(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel | None:
        """Only what needs no body."""
        return None if method is Method.PREDICT and not walk.is_grpc else super().at_once(method, parcel, walk)

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel:
        """Ask the unit."""
        answer = await self._predict(parcel, walk) if method is Method.PREDICT and not walk.is_grpc else None
        return await super().call(method, parcel, walk) if answer is None else answer

    async def _predict(self, parcel: Parcel, walk: Walk) -> Parcel | None:
        ask = self.servable.predict_bytes
        assert ask is not None  # or it would be no unit of this kind
        started = perf_counter()
        try:
            answer: bytes | Message | None = await self._in_turn(walk, ask, parcel.request_body(SELDON_JSON).data)
        except Exception as error:
            raise self._stopped(Method.PREDICT, error, started) from error
        if answer is None:
            return None
        if isinstance(answer, Message):
            self._look_at(Method.PREDICT, None, answer, started)
        self._ok[Method.PREDICT].observe(perf_counter() - started)
        return (
            Parcel(answer)
            if isinstance(answer, Message)
            else Parcel.of_bytes(SELDON_JSON, Body(answer, _kind_for(parcel)))
        )


def _kind_for(asked: Parcel) -> bytes:
    content_type = JSON if asked.bytes_ is None else asked.bytes_.content_type
    kind = content_type.partition(b";")[0].strip().lower()
    return _OCTETS if kind in _FORMS else content_type or JSON
