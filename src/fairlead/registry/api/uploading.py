"""Uploads over the API, in the three ways that clients know.

Which of them a client takes, the `transmission_strategy` of its version says: `proxy`, one request to us; none, one to
a signed address; `presigned_url`, parts to addresses signed one by one. Only the last two are told to be finished.
"""

from collections.abc import Sequence
from functools import partial

from starlette.responses import Response

from fairlead.errors import BadRequest
from fairlead.registry.api import requests, showing
from fairlead.registry.api.calls import Call, answer, nothing
from fairlead.registry.api.routing import Handler, Operation
from fairlead.registry.api.versions import SHAPES, named, place
from fairlead.registry.values import Kind, UploadStatus
from fairlead.storage.blobs.store import Part


def operations(kind: Kind) -> Sequence[Operation]:
    """Those of one kind's versions."""
    title = kind.title()
    shape = SHAPES[kind].plain

    def step(verb: str, handler: Handler, name: str, about: str, takes: type | None = None) -> Operation:
        path = f"{place(kind)}/{verb}"
        return Operation(
            method="PATCH",
            path=path,
            handler=handler,
            name=f"{name}{title}",
            about=about,
            tag="transfers",
            takes=takes,
            gives=shape,
        )

    return [
        step("start_upload", partial(_start, kind), "startUploadOf", "Says that the bytes come next."),
        step(
            "presign_upload_url",
            partial(_presign, kind),
            "presignUploadOf",
            "Gives an address to which all bytes may be PUT at once.",
        ),
        step(
            "start_multipart_upload",
            partial(_start_parts, kind),
            "startPartsOf",
            "Begins an upload in parts, and gives its id.",
        ),
        step(
            "presign_multipart_upload_url",
            partial(_presign_part, kind),
            "presignPartOf",
            "Gives an address to which one part may be PUT; the ETag of the answer is needed in the end.",
            requests.PresignPart,
        ),
        step(
            "complete_multipart_upload",
            partial(_complete, kind),
            "completePartsOf",
            "Joins the parts and verifies them.",
            requests.CompleteUpload,
        ),
        step(
            "finish_upload",
            partial(_finish, kind),
            "finishUploadOf",
            "Says how an upload to signed addresses ended.",
            requests.FinishUpload,
        ),
        Operation(
            method="PUT",
            path=f"{place(kind)}/upload",
            handler=partial(_upload, kind),
            name=f"upload{title}",
            about="Takes all bytes. When it answers, they are verified and the version is complete.",
            tag="transfers",
            takes_bytes=True,
        ),
    ]


async def _start(kind: Kind, call: Call) -> Response:
    version = await call.registry.uploads.start(call.caller, await named(call, kind))
    return answer(await showing.version(call, version))


async def _presign(kind: Kind, call: Call) -> Response:
    version = await named(call, kind)
    url = call.absolute(await call.registry.uploads.presign(call.caller, version))
    return answer(await showing.version(call, version, presigned_upload_url=url))


async def _start_parts(kind: Kind, call: Call) -> Response:
    version = await named(call, kind)
    upload_id = await call.registry.uploads.start_multipart(call.caller, version)
    return answer(await showing.version(call, version, upload_id=upload_id))


async def _presign_part(kind: Kind, call: Call) -> Response:
    asked = await call.body(requests.PresignPart)
    version = await named(call, kind)
    url = await call.registry.uploads.presign_part(call.caller, version, asked.upload_id, asked.part_number)
    return answer(
        await showing.version(call, version, presigned_upload_url=call.absolute(url), upload_id=asked.upload_id)
    )


async def _complete(kind: Kind, call: Call) -> Response:
    asked = await call.body(requests.CompleteUpload)
    if not asked.parts:
        # What clients send after a part that failed; that the upload failed they say next.
        raise BadRequest("an upload in parts is completed with a list of its parts")
    parts = [Part(part.part_number, part.etag) for part in asked.parts]
    version = await named(call, kind)
    done = await call.registry.uploads.complete(call.caller, version, asked.upload_id, parts)
    return answer(await showing.version(call, done))


async def _finish(kind: Kind, call: Call) -> Response:
    asked = await call.body(requests.FinishUpload)
    try:
        status = UploadStatus(asked.status or "")
    except ValueError:
        raise BadRequest(f"status is {asked.status!r}; an upload ends in success or failed") from None
    version = await named(call, kind)
    done = await call.registry.uploads.finish(call.caller, version, status, asked.reason or "")
    return answer(await showing.version(call, done))


async def _upload(kind: Kind, call: Call) -> Response:
    version = await named(call, kind)
    await call.registry.uploads.receive(call.caller, version, call.stream(), call.length)
    return nothing()
