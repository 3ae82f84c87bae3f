"""Blobs as objects of a bucket of S3's, Google's or Azure's, through obstore."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

from fairlead.errors import FairleadError, StorageUnavailable
from fairlead.storage.asking import Trust
from fairlead.storage.blobs.joining import JoinedParts
from fairlead.storage.blobs.s3_parts import S3Parts
from fairlead.storage.blobs.s3_signing import Signer
from fairlead.storage.blobs.store import Found, Parts, checked, missing
from fairlead.storage.blobs.streams import PIECE_BYTES, abreast
from fairlead.storage.clouds.azure import AzureAccess
from fairlead.storage.clouds.gcs import GcsAccess
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.clouds.s3 import S3Access
from fairlead.storage.source import Restart
from fairlead.storage.stores import translated

if TYPE_CHECKING:
    import aiohttp
    import obstore
    from obstore.store import ObjectStore

_TIMEOUTS = Timeouts(connect_s=10.0, read_s=60.0)
# S3 takes 10 000 parts of at least 5 MiB; this many at once keep a fast network busy in 30 MiB of memory. Where nobody
# knows how much will come, parts are larger than they need be for most.
_PART_BYTES = 5 * 1024 * 1024
_PART_OF_UNKNOWN_BYTES = 8 * 1024 * 1024
_PARTS_AT_ONCE = 3
_MOST_PARTS = 9_000
# One connection is seldom as fast as the network is; ranges of an object come over several.
_RANGE_BYTES = 4 * 1024 * 1024
_RANGES_AT_ONCE = 3
_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.25


class ObjectStoreBlobs:
    """A `BlobStore` below a prefix of one bucket."""

    def __init__(
        self, access: S3Access | GcsAccess | AzureAccess, *, bucket: str, prefix: str, secrets: tuple[str, ...]
    ) -> None:
        self.name = access.name(bucket, prefix)
        self._access = access
        self._store: ObjectStore = access.open(bucket, _TIMEOUTS)
        self._prefix = f"{prefix}/" if prefix else ""
        self._secrets = secrets
        self._http: aiohttp.ClientSession | None = None
        self._has_ranges = True
        self.parts: Parts = self._own_parts(bucket)

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, size: int | None = None) -> int:
        import obstore

        counted = _Counted(chunks)
        # What is small goes in one request instead of three.
        is_large = size is None or size > _PART_BYTES
        part = _PART_OF_UNKNOWN_BYTES if size is None else max(_PART_BYTES, size // _MOST_PARTS + 1)
        try:
            await obstore.put_async(
                self._store,
                self._path(key),
                counted,
                use_multipart=is_large,
                chunk_size=part,
                max_concurrency=_PARTS_AT_ONCE,
            )
        except Exception as error:
            if counted.failure is not None:
                raise counted.failure from error
            raise self._translated(key, error) from error
        return counted.size

    async def size(self, key: str) -> int | None:
        import obstore

        for attempt in range(_ATTEMPTS):
            try:
                return (await obstore.head_async(self._store, self._path(key)))["size"]
            except FileNotFoundError:
                return None
            except Exception as error:
                await self._again(key, error, attempt)
        return None

    async def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        at, until = start, end if end is not None else await self.size(key)
        if until is None:
            raise missing(key, self.name)
        if until - start > _RANGE_BYTES:
            async with aclosing(abreast(self._ranges(key, start, until), _RANGES_AT_ONCE)) as ranges:
                async for pieces in ranges:
                    for piece in pieces:
                        at += len(piece)
                        yield piece
        async for piece in self._through(key, at, until):
            yield piece

    def _ranges(self, key: str, start: int, end: int) -> Iterator[Callable[[], Awaitable[list[bytes]]]]:
        """One after the other; they end early at a server that was seen to know no ranges."""
        for at in range(start, end, _RANGE_BYTES):
            if not self._has_ranges:
                return
            yield partial(self._range, key, at, min(at + _RANGE_BYTES, end))

    async def _range(self, key: str, start: int, end: int) -> list[bytes]:
        return [piece async for piece in self._through(key, start, end)]

    async def _through(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Over one connection; one that breaks is followed by another from where it broke."""
        at, attempt = start, 0
        while at < end:
            try:
                async for chunk in await self._from(key, at, end):
                    at, attempt = at + len(chunk), 0
                    yield chunk
                return
            except FileNotFoundError as error:
                raise missing(key, self.name) from error
            except Exception as error:
                await self._again(key, error, attempt)
                attempt += 1

    async def open(self, key: str) -> None:  # noqa: ARG002 - the protocol's signature
        return None

    async def copy(self, key: str, to: str) -> None:
        import obstore

        for attempt in range(_ATTEMPTS):
            try:
                await obstore.copy_async(self._store, self._path(key), self._path(to))
            except FileNotFoundError as error:
                raise missing(key, self.name) from error
            except Exception as error:
                await self._again(key, error, attempt)
            else:
                return

    async def delete(self, key: str) -> None:
        import obstore

        for attempt in range(_ATTEMPTS):
            try:
                await obstore.delete_async(self._store, self._path(key))
            except FileNotFoundError:
                return
            except Exception as error:
                await self._again(key, error, attempt)
            else:
                return

    async def list(self, folder: str = "") -> AsyncIterator[Found]:
        import obstore

        prefix = f"{self._prefix}{checked(folder)}/" if folder else self._prefix
        try:
            async for some in obstore.list(self._store, prefix or None):
                for meta in some:
                    key = meta["path"].removeprefix(self._prefix)
                    yield Found(key, meta["size"], meta["last_modified"].timestamp())
        except Exception as error:
            raise self._translated(folder, error) from error

    async def sign_get(self, key: str, *, expires_s: float) -> str:
        return await self._signed("GET", key, expires_s)

    async def sign_put(self, key: str, *, expires_s: float) -> str:
        # Azure refuses a PUT without a header of its own, which clients do not send.
        return "" if isinstance(self._access, AzureAccess) else await self._signed("PUT", key, expires_s)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def _signed(self, method: Literal["GET", "PUT"], key: str, expires_s: float) -> str:
        """Without a key of its own an access cannot sign; then there are no such addresses."""
        import obstore

        if self._access.is_anonymous:
            return ""
        try:
            store = cast("obstore.SignCapableStore", self._store)
            return await obstore.sign_async(store, method, self._path(key), timedelta(seconds=expires_s))
        except Exception as error:
            raise self._translated(key, error) from error

    async def _from(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        import obstore

        options: obstore.GetOptions = {"range": (start, end)}
        try:
            return _pieces(await obstore.get_async(self._store, self._path(key), options=options))
        except Exception as error:
            if not isinstance(self._translated(key, error), Restart):
                raise
        # Some servers send objects from their beginning, whatever is asked for.
        self._has_ranges = False
        whole = _pieces(await obstore.get_async(self._store, self._path(key)))
        return _between(whole, start, end)

    async def _again(self, key: str, error: Exception, attempt: int) -> None:
        """Wait before the next attempt; raise what happened if another will not help."""
        found = self._translated(key, error)
        if not isinstance(found, StorageUnavailable) or attempt + 1 >= _ATTEMPTS:
            raise found from error
        await asyncio.sleep(_FIRST_PAUSE_S * 2**attempt)

    def _own_parts(self, bucket: str) -> Parts:
        access = self._access
        if not isinstance(access, S3Access) or not access.access_key_id:
            return JoinedParts(self)
        signer = Signer(
            endpoint=access.endpoint,
            bucket=bucket,
            region=access.region,
            access_key_id=access.access_key_id,
            secret_access_key=access.secret_access_key,
            session_token=access.session_token,
            is_virtual_hosted=access.is_virtual_hosted,
        )
        return S3Parts(signer, prefix=self._prefix, session=self._session)

    def _session(self) -> "aiohttp.ClientSession":
        """Made when it is first needed, inside the loop that uses it."""
        import aiohttp

        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=None, connect=_TIMEOUTS.connect_s, sock_read=600.0)
            self._http = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=self._trust()))
        return self._http

    def _trust(self) -> ssl.SSLContext:
        access = self._access
        given = Trust(ca_pem=access.ca_pem, verify=access.verify_tls) if isinstance(access, S3Access) else Trust()
        return given.context()

    def _path(self, key: str) -> str:
        return f"{self._prefix}{checked(key)}"

    def _translated(self, key: str, error: Exception) -> FairleadError:
        if isinstance(error, FairleadError):
            return error
        return translated(error, written=f"{self.name}/{key}", access=self._access, secrets=self._secrets)


async def _pieces(result: "obstore.GetResult") -> AsyncIterator[bytes]:
    async for chunk in result.stream(min_chunk_size=PIECE_BYTES):
        yield bytes(chunk)


async def _between(chunks: AsyncIterator[bytes], start: int, end: int) -> AsyncIterator[bytes]:
    at = 0
    async for chunk in chunks:
        wanted = chunk[max(0, start - at) : max(0, end - at)]
        at += len(chunk)
        if wanted:
            yield wanted
        if at >= end:
            return


class _Counted:
    """Counts what goes by, and keeps what ended it early: obstore tells of that in words of its own."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.size = 0
        self.failure: BaseException | None = None

    def __aiter__(self) -> "_Counted":
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self.failure = error
            raise
        self.size += len(chunk)
        return chunk
