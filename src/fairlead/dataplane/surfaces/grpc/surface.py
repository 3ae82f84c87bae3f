"""All gRPC services of one worker as one handler: from a method's path to whoever answers it.

Which services there are follows the protocols that the revision names; health and reflection are always there. This
module is imported when the first call arrives.
"""

from typing import TYPE_CHECKING

from fairlead.dataplane.surfaces.grpc import health, inference_service, reflection, seldon_services
from fairlead.dataplane.surfaces.grpc.calling import Calls, told, unimplemented
from fairlead.dataplane.surfaces.grpc.tensorflow_service import handlers as tensorflow_handlers
from fairlead.plan.model import Protocol
from fairlead.protocols.exchange import Handler, Reply, Request, Response

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

_MAKERS = {
    Protocol.SELDON: (seldon_services.handlers,),
    Protocol.V2: (inference_service.handlers,),
    # KServe serves V2 over gRPC beside V1 over REST; TensorFlow's services are its grpc-v1.
    Protocol.V1: (inference_service.handlers, tensorflow_handlers),
    Protocol.TENSORFLOW: (tensorflow_handlers,),
}


def make(parts: "Parts") -> "GrpcSurface":
    """The surface of one worker."""
    return GrpcSurface(parts)


class GrpcSurface:
    """Answers every gRPC call of one worker. It never blocks and never raises."""

    def __init__(self, parts: "Parts") -> None:
        calls = self._calls = Calls(parts)
        methods: dict[str, Handler] = {}
        revision = parts.spec.revision
        for protocol in dict.fromkeys((revision.protocol, *revision.also)):
            for maker in _MAKERS[protocol]:
                methods |= maker(parts, calls)
        own = _services(methods)
        self._services = sorted((*own, health.SERVICE, *reflection.SERVICES))
        methods |= health.handlers(parts, calls, own)
        methods |= reflection.handlers(calls, self._services)
        self._methods = methods

    def __call__(self, request: Request, reply: Reply) -> None:
        """Take one call."""
        handler = self._methods.get(request.path)
        if handler is None:
            reply(unimplemented(self._unknown(request.path)))
        elif not told(request).is_grpc:
            reply(_not_grpc(request.path))
        else:
            handler(request, reply)

    def drain(self) -> None:
        """The worker stops: end the streams that would go on for ever."""
        self._calls.drain()

    def _unknown(self, path: str) -> str:
        service, _, method = path[1:].rpartition("/")
        if service not in self._services:
            return f"there is no service {service} here; this deployment serves {', '.join(self._services)}"
        known = sorted(path.rpartition("/")[2] for path in self._methods if path.startswith(f"/{service}/"))
        return f"{service} has no method {method} here; it has {', '.join(known)}"


def _services(methods: dict[str, Handler]) -> list[str]:
    return sorted({path[1:].rpartition("/")[0] for path in methods})


def _not_grpc(path: str) -> Response:
    words = f"{path} is a gRPC method; the content-type of a call to it is application/grpc\n"
    return Response(415, b"Content-Type: text/plain; charset=utf-8\r\n", words.encode())
