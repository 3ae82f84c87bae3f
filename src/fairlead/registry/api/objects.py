"""What is behind addresses that the registry signed itself, for stores that sign none.

Nobody is asked who they are: whoever has an address may use it until it is too old. So it is no operation of the table.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fairlead.registry.addresses import ROOT
from fairlead.registry.api import errors
from fairlead.registry.api.calls import Call
from fairlead.registry.api.downloading import respond
from fairlead.registry.downloads import Download
from fairlead.registry.service import Registry


def routes(registry: Registry) -> Sequence[Route]:
    """Of one registry."""

    async def put(request: Request) -> Response:
        call = Call(request, registry, None)
        try:
            tag = await registry.objects.put(call.path("what"), request.query_params, call.stream(), call.length)
        except Exception as error:
            return errors.refusal(error)
        return Response(headers={"etag": tag})

    async def get(request: Request) -> Response:
        what = request.path_params["what"]

        async def opened(start: int, end: int | None) -> Download:
            return await registry.objects.get(what, request.query_params, start=start, end=end)

        try:
            return await respond(request, opened)
        except Exception as error:
            return errors.refusal(error)

    path = f"{ROOT}{{what:path}}"
    return [Route(path, put, methods=["PUT"]), Route(path, get, methods=["GET"])]
