"""A client's request as a parcel, in any of the forms a client of Seldon may use."""

from fairlead.dataplane.graph.parcel import Parcel
from fairlead.dataplane.surfaces.seldon.heads import told
from fairlead.protocols import seldon_v1
from fairlead.protocols.exchange import Request
from fairlead.protocols.request_forms import read_json, read_object
from fairlead.protocols.wire import Body


def parcel_of(request: Request, *, limit_bytes: int) -> Parcel:
    """The request's message: bytes until somebody wants to read it."""
    head = told(request)
    body = Body(request.body, head.content_type, head.content_encoding)
    if head.is_plain:
        # What `read_object` would do in the end, without its questions: 0.4 us against 1.0 us.
        return Parcel(bytes_=body, read=lambda: seldon_v1.decode(read_json(request.body)))
    return Parcel(bytes_=body, read=lambda: seldon_v1.decode(read_object(request, limit_bytes=limit_bytes)))
