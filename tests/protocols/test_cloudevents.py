"""Events in and out, against the CloudEvents project's own library and KServe's transcripts."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.v1.conversion import to_binary, to_structured
from cloudevents.v1.http import CloudEvent, from_http
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest
from fairlead.protocols.cloudevents import Event, Unwrapped, identity, may_be_event, unwrap, wrap
from fairlead.protocols.exchange import Headers

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BODY = {"instances": [[1, 2]]}

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=3), values, min_size=1, max_size=3)  # the library reads empty data as none
sources = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=6)


def event(data: Any = BODY, **attributes: str) -> CloudEvent:
    return CloudEvent({"type": "t.t", "source": "t", "id": "7", **attributes}, data)


def sent(headers: Any) -> Headers:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def unwrapped(headers: Headers, body: bytes) -> Unwrapped:
    inside = unwrap(headers, body)
    assert inside is not None
    assert may_be_event(headers)
    return inside


def answered(
    asked: Event, body: bytes = b'{"predictions":[3.0]}', kind: bytes = b"application/json", **env: str
) -> Any:
    whole = wrap(asked, body, kind, identity("add", env), event_id="new", time=NOW)
    lines = dict(line.split(": ", 1) for line in whole.lines.decode().split("\r\n") if line)
    return {**lines, "content-type": whole.content_type.decode()}, whole.body


@given(objects, sources)
def test_a_binary_event_of_the_real_library_is_read_and_its_answer_is_read_back(data: Any, source: str) -> None:
    headers, body = to_binary(event(data, source=source.encode("ascii", "ignore").decode().strip() or "s"))

    inside = unwrapped(sent(headers), body)
    answer = from_http(*answered(inside.event, inside.body))

    assert json.loads(inside.body) == data
    assert answer.data == data
    assert (answer["source"], answer["type"], answer["id"]) == (
        "io.kserve.inference.add",
        "io.kserve.inference.response",
        "new",
    )


@given(objects, sources)
def test_a_structured_event_of_the_real_library_is_read_and_its_answer_is_read_back(data: Any, source: str) -> None:
    headers, body = to_structured(event(data, source=source))

    inside = unwrapped(sent(headers), body)
    answer_headers, answer_body = answered(inside.event, inside.body, CE_MERGE="true")
    answer = from_http(answer_headers, answer_body)

    assert json.loads(inside.body) == data
    assert answer.data == data
    assert (answer["source"], answer["type"], answer["id"]) == (source, "t.t", "new")
    assert answer_headers["content-type"] == "application/cloudevents+json"


def test_a_binary_answer_is_the_one_of_kserves_transcript() -> None:
    headers = sent({"ce-specversion": "1.0", "ce-id": "7", "ce-source": "t", "ce-type": "t.t"})

    lines, body = answered(unwrapped(headers, b'{"instances": [[1,2]]}').event)

    assert lines == {
        "ce-specversion": "1.0",
        "ce-id": "new",
        "ce-source": "io.kserve.inference.add",
        "ce-type": "io.kserve.inference.response",
        "ce-time": "2026-01-02T03:04:05+00:00",
        "content-type": "application/json",
    }
    assert body == b'{"predictions": [3.0]}'


def test_the_units_environment_names_source_and_type() -> None:
    asked = Event({"specversion": "1.0", "id": "7", "source": "t", "type": "t.t"}, is_structured=False)

    lines, _ = answered(asked, CE_SOURCE="me", CE_TYPE="mine")

    assert (lines["ce-source"], lines["ce-type"]) == ("me", "mine")


def test_a_merged_answer_has_what_was_asked_but_the_id_and_the_time() -> None:
    headers = sent(to_binary(event(time="2020-01-01T00:00:00+00:00", extra="näh"))[0] | {"ce-extra": "n%C3%A4h"})

    lines, _ = answered(unwrapped(headers, b"{}").event, CE_MERGE="true")

    assert (lines["ce-source"], lines["ce-type"], lines["ce-extra"]) == ("t", "t.t", "n%C3%A4h")
    assert (lines["ce-id"], lines["ce-time"]) == ("new", "2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize("missing", ["ce-specversion", "ce-id", "ce-source", "ce-type"])
def test_a_request_that_lacks_a_required_header_is_a_plain_one(missing: str) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "7", "ce-source": "t", "ce-type": "t.t"}
    del headers[missing]

    assert unwrap(sent(headers), b"{}") is None


def test_data_that_is_no_json_is_handed_over_as_it_is() -> None:
    headers = sent(to_binary(event(b"\x00\xff", datacontenttype="application/avro"))[0])

    inside = unwrapped([*headers, (b"content-type", b"application/avro")], b"\x00\xff")

    assert (inside.content_type, inside.body) == (b"application/avro", b"\x00\xff")


def test_an_answer_that_is_no_json_is_base64_in_a_structured_event() -> None:
    headers, body = to_structured(event(b"\x00\xff", datacontenttype="image/png"))
    inside = unwrapped(sent(headers), body)

    answer = from_http(*answered(inside.event, b"\x01\x02", b"image/png"))

    assert (inside.content_type, inside.body) == (b"image/png", b"\x00\xff")
    assert answer.data == b"\x01\x02"
    assert answer["datacontenttype"] == "image/png"


def test_nothing_of_a_model_name_or_attribute_gets_out_of_its_header() -> None:
    asked = Event({"specversion": "1.0", "id": "7", "source": "a\r\nb: c", "type": "t"}, is_structured=False)

    lines, _ = answered(asked, CE_MERGE="true")

    assert lines["ce-source"] == "a%0D%0Ab:%20c"
    assert "b" not in lines


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        (
            {"ce-specversion": "1.0", "ce-id": "7", "ce-source": "t", "ce-type": "t"},
            b'{"instances"',
            "Failed to decode or parse binary json cloudevent: unexpected end of data: line 1 column 13 (char 12)",
        ),
        (
            {"ce-specversion": "9", "ce-id": "7", "ce-source": "t", "ce-type": "t"},
            b"{}",
            "Cloud Event Exceptions: Invalid specversion '9'; known: 1.0, 0.3",
        ),
        (
            {"content-type": "application/cloudevents+json"},
            b'{"specversion":"1.0"}',
            "Cloud Event Exceptions: Failed to find required attributes id, source, type",
        ),
        (
            {"content-type": "application/cloudevents+json; charset=utf-8"},
            b"[1]",
            "Cloud Event Exceptions: expected an object with specversion, id, source, type and data, got list",
        ),
        (
            {"content-type": "application/cloudevents-batch+json"},
            b"[]",
            "Cloud Event Exceptions: batches of events are not read; send one event per request",
        ),
    ],
)
def test_an_event_that_cannot_be_read_is_refused(headers: dict[str, str], body: bytes, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        unwrap(sent(headers), body)

    assert str(refused.value) == words
    assert refused.value.http == 400


@given(st.binary(max_size=20) | values.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_whatever_is_sent_is_read_or_refused(body: bytes, is_structured: bool) -> None:
    headers = (
        {"content-type": "application/cloudevents+json"}
        if is_structured
        else {"ce-specversion": "1.0", "ce-id": "7", "ce-source": "t", "ce-type": "t"}
    )

    try:
        inside = unwrap(sent(headers), body)
    except BadRequest:
        return

    assert inside is not None
