"""Units whose methods want whole messages, for calls that came over gRPC: `X_grpc` and `X_raw` get protobuf messages
then, whatever the unit before them was."""

from functools import partial

import msgspec

from fairlead.dataplane.graph.parcel import Parcel, Walk
from fairlead.dataplane.graph.units import LocalUnit
from fairlead.plan.model import Method
from fairlead.protocols.message import Form, Message


class ProtoUnit(LocalUnit):
    """A unit with such methods. Requests over REST go the usual way."""

    def at_once(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel | None:
        """Ask the unit if that can be done now."""
        if not self._lane.is_open:
            return None
        return super().at_once(method, _with_proto(parcel) if walk.is_grpc else parcel, walk)

    def aggregate_at_once(self, parcels: list[Parcel], walk: Walk) -> Parcel | None:
        """The unit's one answer for several, if it can be had now."""
        if not self._lane.is_open:
            return None
        return super().aggregate_at_once([_with_proto(one) for one in parcels] if walk.is_grpc else parcels, walk)

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel:
        """Ask the unit."""
        return await super().call(method, _with_proto(parcel) if walk.is_grpc else parcel, walk)

    async def aggregate(self, parcels: list[Parcel], walk: Walk) -> Parcel:
        """The unit's one answer for several."""
        return await super().aggregate([_with_proto(one) for one in parcels] if walk.is_grpc else parcels, walk)


class _Prepared(Parcel):
    """A parcel whose message has its proto, or will have it when it is read."""


def _with_proto(parcel: Parcel) -> Parcel:
    if isinstance(parcel, _Prepared):
        return parcel
    return _Prepared(bytes_=parcel.bytes_, read=partial(_read, parcel), wire=parcel.wire, is_answer=parcel.is_answer)


def _read(parcel: Parcel) -> Message:
    from fairlead.protocols import seldon_proto

    message = parcel.message()
    if message.payload.form is Form.TENSORS:
        return message  # a request of another protocol: its units get what they get over REST
    return msgspec.structs.replace(message, raw_proto=seldon_proto.proto_of(message))
