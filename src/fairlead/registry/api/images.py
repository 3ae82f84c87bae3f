"""What those who build images of bentos ask and tell: which ones nobody has looked at, and what became of them."""

from collections.abc import Sequence

from starlette.responses import Response

from fairlead.errors import BadRequest
from fairlead.registry.api import requests, showing, wire
from fairlead.registry.api.calls import Call, answer
from fairlead.registry.api.routing import Operation
from fairlead.registry.api.versions import named, place
from fairlead.registry.callers import Verb
from fairlead.registry.values import Kind, Version

_STATUSES = ("pending", "building", "success", "failed")


def operations() -> Sequence[Operation]:
    """All of them."""
    one = place(Kind.BENTO)
    return [
        Operation(
            method="GET",
            path="/api/v1/image_build_status_unsynced_bentos",
            handler=_unseen,
            name="listBentosWithUnknownImages",
            about="Lists bentos whose image is not done and at which nobody has looked for a minute.",
            tag="images",
            gives=list[wire.BentoWithRepository],
        ),
        Operation(
            method="PATCH",
            path=f"{one}/update_image_build_status_syncing_at",
            handler=_seen,
            name="noteThatSomebodyLooksAtImage",
            about="Notes that somebody looks at a bento's image now.",
            tag="images",
            gives=wire.Bento,
        ),
        Operation(
            method="PATCH",
            path=f"{one}/update_image_build_status",
            handler=_tell,
            name="updateImageBuildStatus",
            about="Notes what became of a bento's image.",
            tag="images",
            takes=requests.ImageBuildStatus,
            gives=wire.Bento,
        ),
    ]


async def _unseen(call: Call) -> Response:
    found = await call.registry.versions.with_unknown_images(call.caller)
    return answer(await showing.versions(call, found, has_repository=True))


async def _seen(call: Call) -> Response:
    bento = await _changeable(call)
    await call.registry.versions.set_image_build_status(bento, None, is_syncing=True)
    return answer(await showing.version(call, bento))


async def _tell(call: Call) -> Response:
    asked = await call.body(requests.ImageBuildStatus)
    if asked.image_build_status not in _STATUSES:
        raise BadRequest(f"image_build_status is one of {', '.join(_STATUSES)}")
    bento = await _changeable(call)
    await call.registry.versions.set_image_build_status(bento, asked.image_build_status)
    return answer(await showing.version(call, bento, image_build_status=asked.image_build_status))


async def _changeable(call: Call) -> Version:
    bento = await named(call, Kind.BENTO)
    call.caller.require(Verb.UPDATE, Kind.BENTO, bento.tag)
    return bento
