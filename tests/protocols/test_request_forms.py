"""The ways to wrap a JSON object in a request."""

import gzip
import json
import zlib
from urllib.parse import quote_plus

import pytest

from fairlead.errors import BadRequest, TooLarge
from fairlead.protocols.exchange import Request
from fairlead.protocols.request_forms import read_object

LIMIT = 10_000


def request(body: bytes, kind: bytes = b"application/json", *, query: bytes = b"", encoding: bytes = b"") -> Request:
    headers = [(b"content-type", kind)] if kind else []
    if encoding:
        headers.append((b"content-encoding", encoding))
    return Request("POST", "/predict", query, headers, body)


def multipart(*parts: tuple[str, bytes]) -> Request:
    body = b"".join(b"--XyZ\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + content + b"\r\n"
                    for head, content in parts)  # fmt: skip
    return request(body + b"--XyZ--\r\n", b"multipart/form-data; boundary=XyZ")


@pytest.mark.parametrize("kind", [b"application/json", b"Application/JSON; charset=utf-8", b"application/vnd.api+json"])
def test_json_bodies_are_read(kind: bytes) -> None:
    assert read_object(request(b'{"strData":"a"}', kind), limit_bytes=LIMIT) == {"strData": "a"}


@pytest.mark.parametrize("kind", [b"", b"text/plain", b"application/x-www-form-urlencoded"])
def test_another_content_type_holds_no_json(kind: bytes) -> None:
    with pytest.raises(BadRequest, match="Can't find JSON in data"):
        read_object(request(b'{"strData":"a"}', kind), limit_bytes=LIMIT)


@pytest.mark.parametrize("body", [b"", b"nope", b"{"])
def test_bodies_that_are_no_json_hold_none(body: bytes) -> None:
    with pytest.raises(BadRequest, match="Can't find JSON in data"):
        read_object(request(body), limit_bytes=LIMIT)


def test_a_form_field_and_a_query_parameter_come_before_the_body() -> None:
    field = f"json={quote_plus(json.dumps({'strData': 'é'}))}".encode()

    form = request(field, b"application/x-www-form-urlencoded")
    query = request(b'{"strData":"b"}', query=field)

    assert read_object(form, limit_bytes=LIMIT) == {"strData": "é"}
    assert read_object(query, limit_bytes=LIMIT) == {"strData": "é"}


def test_multipart_fields_are_json_text_or_files() -> None:
    sent = multipart(
        ('name="data"', b'{"ndarray":[[1]]}'),
        ('name="strData"', b"hello"),
        ('name="binData"; filename="a.bin"', b"\x00\r\n\xff"),
        ('name="note"; filename="a.txt"', b"text"),
    )

    assert read_object(sent, limit_bytes=LIMIT) == {
        "data": {"ndarray": [[1]]},
        "strData": "hello",
        "binData": "AA0K/w==",
        "note": "text",
    }


@pytest.mark.parametrize(
    "body", [b"", b"--XyZ\r\n", b"--XyZ\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XyZ--", b"--XyZ\r\n\r\nx"]
)
def test_broken_multipart_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_object(request(body, b"multipart/form-data; boundary=XyZ"), limit_bytes=LIMIT)


def test_multipart_fields_that_are_no_json_are_refused() -> None:
    with pytest.raises(BadRequest, match="Can't find JSON in data"):
        read_object(multipart(('name="data"', b"nope")), limit_bytes=LIMIT)


def raw_deflate(text: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(text) + deflater.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", gzip.compress(b'{"strData":"a"}', mtime=0)),
        (b"deflate", zlib.compress(b'{"strData":"a"}')),
        (b"deflate", raw_deflate(b'{"strData":"a"}')),
        (b"identity", b'{"strData":"a"}'),
    ],
)
def test_compressed_bodies_are_inflated(encoding: bytes, body: bytes) -> None:
    assert read_object(request(body, encoding=encoding), limit_bytes=LIMIT) == {"strData": "a"}


def test_a_body_never_inflates_past_the_limit() -> None:
    with pytest.raises(TooLarge):
        read_object(request(gzip.compress(b" " * 1_000_000), encoding=b"gzip"), limit_bytes=LIMIT)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [(b"gzip", b"nope"), (b"gzip", gzip.compress(b"{}" * 50, mtime=0)[:-9]), (b"br", b"x"), (b"deflate", b"")],
)
def test_bodies_that_cannot_be_inflated_are_refused(encoding: bytes, body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_object(request(body, encoding=encoding), limit_bytes=LIMIT)
