"""Bytes in and out over the API: in the three ways, whole and from the middle, well and badly."""

import base64
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from fairlead.registry.service import RegistryConfig
from support.registry_server import Http, RegistryServer, registry_server

# Larger than what is handed on at once, and no multiple of it.
CONTENT = bytes(range(256)) * 12_345
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture(scope="module", params=["proxy", "", "presigned_url"])
def moded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry for each way."""
    folder = tmp_path_factory.mktemp("registry")
    config = RegistryConfig.of_home(folder / "registry", transmission_strategy=request.param)
    with registry_server(folder, config) as server:
        yield server


def announce(http: Http, name: str, version: str = "v1", kind: str = "model") -> str:
    """The path of a new version."""
    path = f"/api/v1/{kind}_repositories"
    http.ok("POST", path, {"name": name})
    http.ok("POST", f"{path}/{name}/{kind}s", {"version": version, "manifest": {"size_bytes": len(CONTENT)}})
    return f"{path}/{name}/{kind}s/{version}"


def push(http: Http, path: str, content: bytes = CONTENT) -> Any:
    """What a client does with the bytes; the version afterwards."""
    version = http.ok("GET", path)
    strategy = version["transmission_strategy"]
    if strategy is None:
        url = http.ok("PATCH", f"{path}/presign_upload_url")["presigned_upload_url"]
        http.ok("PATCH", f"{path}/start_upload")
        assert requests.put(url, data=content, timeout=30).status_code == 200
    else:
        http.ok("PATCH", f"{path}/start_upload")
    if strategy == "proxy":
        http.ok("PUT", f"{path}/upload", data=content, headers={"Content-Type": "application/octet-stream"})
    if strategy == "presigned_url":
        upload = http.ok("PATCH", f"{path}/start_multipart_upload")["upload_id"]
        parts = parts_of(http, path, upload, content)
        http.ok("PATCH", f"{path}/complete_multipart_upload", {"upload_id": upload, "parts": parts})
    if strategy != "proxy":
        http.ok("PATCH", f"{path}/finish_upload", {"status": "success", "reason": ""})
    return http.ok("GET", path)


def parts_of(http: Http, path: str, upload: str, content: bytes) -> list[dict[str, Any]]:
    """Three parts, the last first."""
    third = len(content) // 3 + 1
    parts = []
    for number in (3, 1, 2):
        body = {"upload_id": upload, "part_number": number}
        url = http.ok("PATCH", f"{path}/presign_multipart_upload_url", body)["presigned_upload_url"]
        sent = requests.put(url, data=content[third * (number - 1) : third * number], timeout=30)
        assert sent.status_code == 200
        parts.append({"part_number": number, "etag": sent.headers["ETag"]})
    return parts


def pull(http: Http, path: str, **headers: str) -> requests.Response:
    """What a client does to get them."""
    shown = http.ok("PATCH", f"{path}/presign_download_url")
    if shown["transmission_strategy"] == "proxy":
        return http("GET", f"{path}/download", headers=headers)
    return requests.get(shown["presigned_download_url"], headers=headers, timeout=30)


@pytest.mark.parametrize("kind", ["model", "bento"])
def test_what_was_pushed_comes_back(moded: RegistryServer, kind: str) -> None:
    path = announce(moded.http, f"{kind}-back", kind=kind)

    done = push(moded.http, path)
    got = pull(moded.http, path)

    assert (done["upload_status"], done["digest"], done["archive_bytes"]) == ("success", DIGEST, len(CONTENT))
    assert got.content == CONTENT
    assert got.headers["Content-Length"] == str(len(CONTENT))
    assert base64.b64decode(got.headers["Digest"].removeprefix("sha-256=")).hex() == DIGEST.partition(":")[2]


def test_bytes_are_replaced_when_they_are_pushed_again(moded: RegistryServer) -> None:
    path = announce(moded.http, "again")

    push(moded.http, path)
    done = push(moded.http, path, CONTENT[::-1])

    assert pull(moded.http, path).content == CONTENT[::-1]
    assert done["digest"] != DIGEST


def test_nothing_at_all_is_a_version_too(moded: RegistryServer) -> None:
    path = announce(moded.http, "nothing")

    push(moded.http, path, b"")

    assert pull(moded.http, path).content == b""


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=1000000-", 1_000_000, None), ("bytes=-5", -5, None), ("bytes=7-99999999", 7, None)],
)
def test_a_range_gives_those_bytes(moded: RegistryServer, name: str, asked: str, start: int, end: int | None) -> None:
    path = announce(moded.http, name)
    push(moded.http, path)

    got = pull(moded.http, path, Range=asked)

    wanted = CONTENT[start:end]
    first = start % len(CONTENT)
    assert (got.status_code, got.content == wanted) == (206, True)
    assert got.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(CONTENT)}"


def test_what_is_no_range_gives_everything(server: RegistryServer, name: str) -> None:
    path = announce(server.http, name)
    push(server.http, path)

    for asked in ("bytes=9-1", "bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=x-1"):
        got = pull(server.http, path, Range=asked)
        assert (asked, got.status_code, len(got.content)) == (asked, 200, len(CONTENT))


def test_a_range_of_nothing_is_refused_with_the_size(server: RegistryServer) -> None:
    path = announce(server.http, "beyond")
    push(server.http, path)

    got = pull(server.http, path, Range=f"bytes={len(CONTENT)}-")

    assert (got.status_code, got.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")


def test_the_rest_of_another_object_is_not_given(server: RegistryServer) -> None:
    path = announce(server.http, "changed")
    push(server.http, path)
    tag = pull(server.http, path).headers["ETag"]
    push(server.http, path, b"other")

    got = pull(server.http, path, **{"Range": "bytes=3-", "If-Range": tag})

    assert (got.status_code, got.content) == (200, b"other")


def test_a_version_without_bytes_gives_none(server: RegistryServer) -> None:
    path = announce(server.http, "none")

    assert server.http("GET", f"{path}/download").status_code == 404
    assert server.http("PATCH", f"{path}/presign_download_url").status_code == 404


def test_a_model_that_is_elsewhere_has_no_address_here(http: Http, name: str) -> None:
    path = "/api/v1/model_repositories"
    http.ok("POST", path, {"name": name})
    http.ok("POST", f"{path}/{name}/models", {"version": "v1", "manifest": {"metadata": {"registry": "huggingface"}}})

    shown = http.ok("PATCH", f"{path}/{name}/models/v1/presign_download_url")

    assert shown["presigned_download_url"] == ""


def cut_short(http: Http, path: str, sent: bytes, announced: int) -> None:
    """An upload whose client goes away."""
    parts = urlsplit(http.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        head = f"PUT {path}/upload HTTP/1.1\r\nHost: {parts.netloc}\r\nX-YATAI-API-TOKEN: {http.token}\r\n"
        connection.sendall(f"{head}Content-Length: {announced}\r\n\r\n".encode() + sent)


def until(http: Http, path: str, status: str) -> Any:
    """The version as soon as it is so; a deadline of requests' own."""
    for _ in range(2000):
        version = http.ok("GET", path)
        if version["upload_status"] == status:
            return version
    raise AssertionError(version)


def test_an_upload_whose_client_goes_away_has_failed_and_says_why(server: RegistryServer) -> None:
    path = announce(server.http, "gone")

    cut_short(server.http, path, CONTENT[:100_000], len(CONTENT))
    version = until(server.http, path, "failed")

    assert version["upload_finished_reason"] != ""
    assert server.http("GET", f"{path}/download").status_code == 404
    assert push(server.http, path)["upload_status"] == "success"


def test_a_forced_upload_that_is_cut_short_leaves_what_was_there(server: RegistryServer) -> None:
    path = announce(server.http, "kept")
    push(server.http, path)

    server.http.ok("PATCH", f"{path}/start_upload")
    cut_short(server.http, path, b"half", 1000)

    assert pull(server.http, path).content == CONTENT


def test_an_address_is_for_one_method_one_thing_and_a_while(server: RegistryServer, name: str) -> None:
    path = announce(server.http, name)
    push(server.http, path)
    url = server.http.ok("PATCH", f"{path}/presign_download_url")["presigned_download_url"]

    assert requests.get(url, timeout=10).content == CONTENT
    assert requests.put(url, data=b"x", timeout=10).status_code == 403
    assert requests.get(url.replace("sha256:", "sha256:0"), timeout=10).status_code == 403
    assert requests.get(url.partition("?")[0], timeout=10).status_code == 403
    server.clock.ahead_s += 3601
    assert requests.get(url, timeout=10).status_code == 403


def test_an_upload_in_parts_without_parts_is_given_up(server: RegistryServer, name: str) -> None:
    path = announce(server.http, name)
    upload = server.http.ok("PATCH", f"{path}/start_multipart_upload")["upload_id"]

    refused = server.http("PATCH", f"{path}/complete_multipart_upload", {"upload_id": upload, "parts": []})
    version = server.http.ok("PATCH", f"{path}/finish_upload", {"status": "failed", "reason": "disk full"})

    assert refused.status_code == 400
    assert (version["upload_status"], version["upload_finished_reason"]) == ("failed", "disk full")


def test_a_part_that_was_never_sent_is_missed(server: RegistryServer, name: str) -> None:
    path = announce(server.http, name)
    upload = server.http.ok("PATCH", f"{path}/start_multipart_upload")["upload_id"]
    parts = [*parts_of(server.http, path, upload, CONTENT), {"part_number": 4, "etag": '"0"'}]

    refused = server.http("PATCH", f"{path}/complete_multipart_upload", {"upload_id": upload, "parts": parts})

    assert (refused.status_code, "part 4" in refused.json()["error"]) == (400, True)


@pytest.mark.parametrize("status", ["success", "pending", "odd", None])
def test_nothing_is_finished_that_was_not_uploaded(server: RegistryServer, name: str, status: str | None) -> None:
    path = announce(server.http, name)

    assert server.http("PATCH", f"{path}/finish_upload", {"status": status}).status_code == 400


def test_an_immutable_version_takes_no_other_bytes(server: RegistryServer, name: str) -> None:
    path = announce(server.http, name)
    push(server.http, path)
    server.http.ok("PATCH", path, {"is_immutable": True})

    refused = server.http("PUT", f"{path}/upload", data=b"other")

    assert refused.status_code == 409
    assert pull(server.http, path).content == CONTENT


def test_bytes_that_changed_in_the_store_are_not_given_out_whole(server: RegistryServer, name: str) -> None:
    path = announce(server.http, name)
    content = CONTENT[:-1] + b"?"
    push(server.http, path, content)
    blobs = [each for each in (Path(server.folder) / "registry" / "blobs").rglob("*") if each.is_file()]
    (blob,) = [each for each in blobs if each.read_bytes() == content]
    blob.write_bytes(CONTENT)

    with pytest.raises(requests.exceptions.RequestException):
        pull(server.http, path)


def test_a_quota_is_kept(server: RegistryServer, name: str) -> None:
    path = announce(server.http, name)
    server.http.ok("PATCH", "/api/v1/current_org", {"config": {"quota": {"bytes": 10}}})

    refused = server.http("PUT", f"{path}/upload", data=b"x" * 11)
    server.http.ok("PATCH", "/api/v1/current_org", {"config": {}})

    assert (refused.status_code, "quota" in refused.json()["error"]) == (403, True)


def stored_file(server: RegistryServer, version: Any) -> Path:
    """Where the bytes of a version are."""
    (found,) = [
        path
        for path in (server.folder / "registry" / "blobs").rglob("*")
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == version["digest"].partition(":")[2]
    ]
    return found


@pytest.mark.parametrize("pulled_before", [False, True])
def test_bytes_that_rotted_never_come_whole(server: RegistryServer, name: str, *, pulled_before: bool) -> None:
    path = announce(server.http, name)
    content = CONTENT + name.encode()
    file = stored_file(server, push(server.http, path, content))
    if pulled_before:
        assert [pull(server.http, path).content for _ in range(2)] == [content, content]

    with file.open("r+b") as opened:
        opened.seek(1_000_000)
        opened.write(b"rot")

    with pytest.raises(requests.exceptions.RequestException):
        pull(server.http, path)
