"""S3's own uploads in parts, which clients send straight to the store. obstore keeps these to itself, so the four calls
are made here, at addresses that we sign."""

import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from fairlead.errors import BadRequest, FairleadError, NotOffered, StorageError, StorageUnavailable
from fairlead.storage import answers
from fairlead.storage.blobs.s3_signing import Signer
from fairlead.storage.blobs.store import Part, checked

if TYPE_CHECKING:
    import aiohttp

_OWN_CALLS_S = 300.0
_UPLOAD_ID = re.compile(r"<UploadId>(.*?)</UploadId>", re.DOTALL)
_ERROR = re.compile(r"<Error[ >]")
_GONE = frozenset({"NoSuchUpload"})
_WRONG = ("InvalidPart", "EntityTooSmall", "NoSuchUpload", "MalformedXML")


class S3Parts:
    """`Parts` of one bucket, below a prefix that ends with a slash or is empty."""

    def __init__(
        self,
        signer: Signer,
        *,
        prefix: str,
        session: "Callable[[], aiohttp.ClientSession]",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._signer = signer
        self._prefix = prefix
        self._session = session
        self._clock = clock

    async def begin(self, key: str) -> str:
        status, text = await self._ask("POST", key, {"uploads": ""})
        found = _UPLOAD_ID.search(text)
        if status != 200 or not found:
            raise self._failed(key, status, text)
        return found[1]

    async def sign(self, key: str, upload_id: str, number: int, *, expires_s: float) -> str:
        query = {"partNumber": str(number), "uploadId": upload_id}
        return self._address("PUT", key, query, expires_s)

    async def receive(self, key: str, upload_id: str, number: int, chunks: AsyncIterator[bytes]) -> str:  # noqa: ARG002
        raise NotOffered(f"part {number} of {key} goes to the address that was signed for it")

    async def join(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        if not parts:
            raise BadRequest("an upload in parts is completed with a list of its parts")
        listed = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag></Part>"
            for part in sorted(parts)
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
        status, text = await self._ask("POST", key, {"uploadId": upload_id}, body.encode())
        # The answer begins before the store is done, so it may say 200 and hold an error.
        if status == 200 and not _ERROR.search(text):
            return
        if any(f"<Code>{code}</Code>" in text for code in _GONE) and await self._is_there(key):
            return
        if any(f"<Code>{code}</Code>" in text for code in _WRONG):
            raise BadRequest(f"the parts cannot be joined: {answers.words(status, text)}")
        raise self._failed(key, status, text)

    async def drop(self, key: str, upload_id: str) -> None:
        status, text = await self._ask("DELETE", key, {"uploadId": upload_id})
        if status not in (200, 204, 404):
            raise self._failed(key, status, text)

    async def _is_there(self, key: str) -> bool:
        return (await self._ask("HEAD", key, {}))[0] == 200

    async def _ask(self, method: str, key: str, query: Mapping[str, str], body: bytes = b"") -> tuple[int, str]:
        import aiohttp

        address = self._address(method, key, query, _OWN_CALLS_S)
        try:
            async with self._session().request(method, address, data=body) as answer:
                return answer.status, await answer.text(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            # Its own words may hold the address, and with that the signature.
            raise StorageUnavailable(f"{self._signer.endpoint}: {type(error).__name__}") from error

    def _address(self, method: str, key: str, query: Mapping[str, str], expires_s: float) -> str:
        name = f"{self._prefix}{checked(key)}"
        return self._signer.address(method, name, now=self._clock(), expires_s=expires_s, query=query)

    def _failed(self, key: str, status: int, text: str) -> FairleadError:
        message = f"{self._signer.endpoint}: {key}: {answers.words(status, text)}"
        return StorageUnavailable(message) if status in answers.TRANSIENT else StorageError(message)
