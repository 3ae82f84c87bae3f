"""Sends one model or bento to a registry as its own clients do: repository, version, bytes, and no half of it.

The server says how it wants the bytes: through its API, or in parts to addresses that it signs. A part that fails is
sent again; whatever ends a push, the version is complete or says that it failed.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fairlead.cli.client import ApiError, Unreachable
from fairlead.cli.registries import Registry, Sent
from fairlead.errors import FairleadError
from fairlead.registry.packing import Archive

_PART_BYTES = 64 * 1024**2
_AT_ONCE = 3
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """What is pushed. `manifest` is what its kind's clients say of it."""

    kind: str
    name: str
    version: str
    archive: Archive
    manifest: Mapping[str, Any]
    description: str = ""
    labels: Sequence[tuple[str, str]] = ()

    @property
    def tag(self) -> str:
        return f"{self.name}:{self.version}"


def ship(registry: Registry, shipment: Shipment, *, force: bool, sent: Sent) -> bool:
    """Push it, unless it is there and nothing forces; whether it was pushed."""
    repository = registry.item(shipment.kind, shipment.name)
    if registry.find(repository) is None:
        _make_repository(registry, shipment)
    path = registry.item(shipment.kind, shipment.name, shipment.version)
    found = registry.find(path)
    if found is not None and found["upload_status"] == "success" and not force:
        return False
    if found is None:
        found = registry.request("POST", f"{repository}/{shipment.kind}s", body=_described(shipment))
    elif shipment.kind == "bento":
        found = registry.request("PATCH", path, body=_described(shipment))
    _send(registry, shipment, path, found, sent)
    return True


def _make_repository(registry: Registry, shipment: Shipment) -> None:
    body = {"name": shipment.name, "description": ""}
    try:
        registry.request("POST", f"/api/v1/{shipment.kind}_repositories", body=body)
    except ApiError:
        # Somebody else's push was quicker.
        if registry.find(registry.item(shipment.kind, shipment.name)) is None:
            raise


def _described(shipment: Shipment) -> dict[str, Any]:
    return {
        "version": shipment.version,
        "description": shipment.description,
        "manifest": dict(shipment.manifest),
        "build_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "labels": [{"key": key, "value": value} for key, value in shipment.labels],
    }


def _send(registry: Registry, shipment: Shipment, path: str, found: Mapping[str, Any], sent: Sent) -> None:
    registry.request("PATCH", f"{path}/start_upload")
    if found.get("transmission_strategy") == "proxy":
        registry.upload(f"{path}/upload", shipment.archive.chunks(), shipment.archive.size, sent)
        return
    try:
        _send_parts(registry, shipment.archive, path, sent)
    except BaseException as problem:
        _give_up(registry, path, problem)
        raise
    registry.request("PATCH", f"{path}/finish_upload", body={"status": "success", "reason": ""})


def _give_up(registry: Registry, path: str, problem: BaseException) -> None:
    reason = str(problem) if isinstance(problem, FairleadError) else "the push was interrupted"
    try:
        registry.request("PATCH", f"{path}/finish_upload", body={"status": "failed", "reason": reason})
    except FairleadError:
        return  # The registry cannot be told; it gives up the upload itself when nothing comes.


def _send_parts(registry: Registry, archive: Archive, path: str, sent: Sent) -> None:
    upload = registry.request("PATCH", f"{path}/start_multipart_upload")["upload_id"]
    done: dict[int, str] = {}
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="push") as pool:
        running: dict[int, Future[str]] = {}
        try:
            for number, part in enumerate(_parts(archive.chunks()), start=1):
                if len(running) >= _AT_ONCE:
                    oldest = min(running)
                    done[oldest] = running.pop(oldest).result()
                address = _address(registry, path, upload, number)
                running[number] = pool.submit(_send_part, registry, address, part, sent)
            done.update({number: future.result() for number, future in running.items()})
        finally:
            for future in running.values():
                future.cancel()
    parts = [{"part_number": number, "etag": tag} for number, tag in sorted(done.items())]
    registry.request("PATCH", f"{path}/complete_multipart_upload", body={"upload_id": upload, "parts": parts})


def _address(registry: Registry, path: str, upload: str, number: int) -> str:
    body = {"upload_id": upload, "part_number": number}
    return str(registry.request("PATCH", f"{path}/presign_multipart_upload_url", body=body)["presigned_upload_url"])


def _send_part(registry: Registry, address: str, part: bytes, sent: Sent) -> str:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            tag = registry.put_part(address, part)
        except Unreachable:
            if attempt == _ATTEMPTS:
                raise
            continue
        sent(len(part))
        return tag
    raise AssertionError("unreachable")


def _parts(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Parts of one size but for the last."""
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        while len(gathered) >= _PART_BYTES:
            yield bytes(memoryview(gathered)[:_PART_BYTES])
            del gathered[:_PART_BYTES]
    if gathered:
        yield bytes(gathered)
