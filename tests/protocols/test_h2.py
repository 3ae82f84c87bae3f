"""HTTP/2 connections without sockets: the same events for any split, both flow controls, and every kind of mistake."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.protocols import h2
from fairlead.protocols.h2 import Options
from fairlead.protocols.h2_frames import ErrorCode
from fairlead.protocols.h2_sending import Stream
from fairlead.protocols.hpack import HeaderBlock, encode
from support import h2_frames as by_hand
from support.h2_frames import CALL, PREFACE, Seen, call, frame, read_frames, window

START = PREFACE + by_hand.settings()


class End(h2.Connection):
    """An end that notes what it hears."""

    def __init__(self, *, is_client: bool = False, options: Options | None = None) -> None:
        super().__init__(is_client=is_client, options=options)
        self.events: list[tuple[Any, ...]] = []

    def make_stream(self, stream_id: int) -> Stream:
        return Stream(stream_id, self.options.stream_window, self.peer_initial_window)

    def begin(self) -> Stream:
        stream = self.streams[self.next_id] = self.make_stream(self.next_id)
        self.next_id += 2
        return stream

    def on_headers(self, stream: Stream, block: HeaderBlock, *, ends: bool) -> None:
        self.events.append(("headers", stream.id, block.headers, ends))

    def on_data(self, stream: Stream, data: bytes, *, ends: bool) -> None:
        self.events.append(("data", stream.id, bytes(data), ends))

    def on_reset(self, stream: Stream, code: ErrorCode | int, *, by_peer: bool) -> None:
        self.events.append(("reset", stream.id, int(code), by_peer))

    def on_goaway(self, last_id: int, code: int, words: bytes) -> None:
        self.events.append(("goaway", last_id, code))

    def on_ping_ack(self, payload: bytes) -> None:
        self.events.append(("pong", payload))

    def on_sent(self, stream: Stream) -> None:
        self.events.append(("sent", stream.id))
        self.close_if_done(stream)

    def on_room(self, stream: Stream) -> None:
        self.events.append(("room", stream.id))

    def take(self) -> bytes:
        out, self.out = self.out, []
        return b"".join(out)

    def said(self) -> list[Seen]:
        frames, rest = read_frames(self.take())
        assert not rest
        return frames

    def body(self, stream: int) -> bytes:
        return b"".join(event[2] for event in self.events if event[:2] == ("data", stream))


def opened(options: Options | None = None, *more: bytes) -> End:
    """A server that has greeted and been greeted."""
    end = End(options=options)
    end.feed(START + b"".join(more))
    return end


def pair() -> tuple[End, End]:
    """A client and a server that know each other's settings."""
    client, server = End(is_client=True), End()
    exchange(client, server)
    return client, server


def exchange(client: End, server: End) -> None:
    """Carry bytes until neither end has any more to say."""
    while client.out or server.out:
        server.feed(client.take())
        client.feed(server.take())


calls = st.builds(call, st.integers(0, 200).map(lambda number: 2 * number + 1), st.binary(max_size=50))
other = st.sampled_from(
    [
        frame(by_hand.PING, 0, 0, b"12345678"),
        by_hand.settings(initial_window_size=10),
        window(0, 1000),
        frame(99, 255, 7, b"unknown"),
        by_hand.reset(1, 8),
        frame(by_hand.GOAWAY, 0, 0, bytes(8) + b"bye"),
        frame(by_hand.PRIORITY, 0, 3, bytes(5)),
        frame(by_hand.PING, 0, 0, b"short"),
        frame(by_hand.HEADERS, 0, 501, by_hand.block(CALL)) + frame(by_hand.CONTINUATION, 4, 501, b""),
        frame(by_hand.HEADERS, 0x2D, 503, b"\3" + bytes(5) + by_hand.block(CALL) + bytes(3)),
        frame(by_hand.DATA, 9, 503, b"\2ab" + bytes(2)),
    ]
)


@settings(max_examples=200)
@given(st.lists(calls | other, max_size=8), st.data())
def test_any_split_of_the_bytes_gives_the_same_events_and_answers(parts: list[bytes], data: st.DataObject) -> None:
    stream = START + b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    whole, split = End(), End()

    whole.feed(stream)
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        split.feed(stream[start:end])

    assert split.events == whole.events
    assert split.take() == whole.take()
    assert str(split.failure) == str(whole.failure)


frames_of_any_kind = st.builds(
    frame,
    st.integers(0, 11),
    st.integers(0, 255),
    st.integers(0, 9),
    st.binary(max_size=30) | st.just(by_hand.block(CALL)),
)


@settings(max_examples=500)
@given(st.lists(frames_of_any_kind | calls, max_size=12), st.booleans())
def test_any_frames_are_taken_or_refused(parts: list[bytes], is_client: bool) -> None:
    end = End(is_client=is_client)
    if is_client:
        stream = end.begin()
        end.send_headers(stream, encode([(b":method", b"GET")]), ends=False)
    end.feed(by_hand.settings() if is_client else START)
    end.take()
    end.feed(b"".join(parts))

    frames, rest = read_frames(end.take())
    assert rest == b""
    assert (end.failure is not None) == any(seen.kind == by_hand.GOAWAY for seen in frames)


def test_bytes_one_by_one_are_a_request() -> None:
    end = End()
    for byte in START + call(1, b"abc"):
        end.feed(bytes((byte,)))

    headers = [(name.encode(), value.encode()) for name, value in CALL]
    assert end.events == [("headers", 1, headers, False), ("data", 1, b"abc", True)]


def test_a_greeting_says_what_is_allowed_and_settings_are_acknowledged() -> None:
    said = opened().said()

    assert [seen.kind for seen in said] == [by_hand.SETTINGS, by_hand.WINDOW_UPDATE, by_hand.SETTINGS]
    assert (said[2].flags, said[2].payload) == (by_hand.ACK, b"")


def test_an_exchange_ends_on_both_sides_and_nothing_is_kept() -> None:
    client, server = pair()
    asked = client.begin()
    client.send_headers(asked, encode([(b":method", b"POST")]), ends=False)
    client.send(asked, b"question", b"")
    exchange(client, server)
    answered = server.streams[1]
    server.send_headers(answered, encode([(b":status", b"200")]), ends=False)
    server.send(answered, b"answer", encode([(b"grpc-status", b"0")]))
    exchange(client, server)

    assert server.body(1) == b"question"
    assert client.events[1:] == [
        ("headers", 1, [(b":status", b"200")], False),
        ("data", 1, b"answer", False),
        ("headers", 1, [(b"grpc-status", b"0")], True),
    ]
    assert not client.streams
    assert not server.streams


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=5), st.integers(0, 100_000))
def test_bodies_of_any_size_pass_through_windows_of_any_size(sizes: list[int], initial: int) -> None:
    client, server = pair()
    server.feed(by_hand.settings(initial_window_size=initial) + window(0, 2**20))
    for _ in sizes:
        stream = client.begin()
        client.send_headers(stream, encode([(b":method", b"GET")]), ends=True)
    exchange(client, server)
    for index, size in enumerate(sizes):
        stream = server.streams[2 * index + 1]
        server.send_headers(stream, encode([(b":status", b"200")]), ends=False)
        server.send(stream, bytes([index]) * size, b"")
    while server.streams:
        exchange(client, server)
        server.feed(b"".join(window(id, 50_000) for id in server.streams) + window(0, 100_000))
    exchange(client, server)

    assert [client.body(2 * index + 1) for index in range(len(sizes))] == [
        bytes([index]) * size for index, size in enumerate(sizes)
    ]


def test_nothing_is_sent_past_a_window_and_small_answers_pass_large_ones() -> None:
    end = opened(None, by_hand.settings(initial_window_size=40_000), call(1), call(3), window(0, 1000))
    end.take()
    for id, size in ((1, 100_000), (3, 10)):
        end.send(end.streams[id], b"x" * size, b"")
    first = end.said()
    end.feed(window(1, 100_000))
    second = end.said()
    end.feed(window(0, 100_000))
    rest = end.said()

    assert sum(len(seen.payload) for seen in first if seen.stream == 1) == 40_000
    assert [len(seen.payload) for seen in first if seen.stream == 3] == [10]
    assert sum(len(seen.payload) for seen in second) == 65_535 + 1000 - 40_010
    assert sum(len(seen.payload) for seen in rest) == 100_000 - 66_525
    assert rest[-1].flags == by_hand.END_STREAM


def test_a_smaller_initial_window_holds_for_open_streams_too() -> None:
    end = opened(None, call(1))
    end.take()
    end.feed(by_hand.settings(initial_window_size=0))
    end.send(end.streams[1], b"abc", b"")
    held = [seen.kind for seen in end.said()]
    end.feed(by_hand.settings(initial_window_size=3))

    assert held == [by_hand.SETTINGS]
    assert [seen.payload for seen in end.said() if seen.kind == by_hand.DATA] == [b"abc"]


def test_while_the_socket_is_full_no_body_leaves() -> None:
    end = opened(None, call(1))
    end.take()
    end.hold()
    end.send(end.streams[1], b"abc", b"")
    held = end.said()
    end.release()

    assert held == []
    assert [seen.payload for seen in end.said()] == [b"abc"]


def test_windows_are_renewed_in_steps_and_not_while_a_stream_is_paused() -> None:
    end = opened(Options(stream_window=65_536, connection_window=1 << 20), by_hand.frame(1, 4, 1, by_hand.block(CALL)))
    end.take()
    end.feed(frame(by_hand.DATA, 0, 1, bytes(20_000)))
    early = end.said()
    end.feed(frame(by_hand.DATA, 0, 1, bytes(20_000)))
    step = end.said()
    end.streams[1].is_paused = True
    end.feed(frame(by_hand.DATA, 0, 1, bytes(40_000)))
    paused = end.said()
    end.resume(end.streams[1])

    assert early == []
    assert [(seen.kind, seen.stream, seen.number) for seen in step] == [(by_hand.WINDOW_UPDATE, 1, 40_000)]
    assert paused == []
    assert [(seen.stream, seen.number) for seen in end.said()] == [(1, 40_000)]


def test_large_header_blocks_are_cut_to_the_peers_frames() -> None:
    client, server = pair()
    headers = [(b":method", b"GET"), (b"x-large", b"a" * 60_000)]
    client.peer_frame = 16_384
    client.send_headers(client.begin(), encode(headers), ends=True)
    exchange(client, server)

    assert server.events == [("headers", 1, headers, True)]


def test_a_peer_without_a_header_table_is_told_that_ours_is_empty() -> None:
    end = opened(None, by_hand.settings(header_table_size=0), call(1), call(3))
    end.take()
    for id in (1, 3):
        end.send_headers(end.streams[id], encode([(b":status", b"200")]), ends=True)

    assert [seen.payload for seen in end.said()] == [b"\x20\x88", b"\x88"]


def test_pings_are_answered_and_our_own_come_back() -> None:
    client, server = pair()
    client.ping(b"01234567")
    exchange(client, server)

    assert client.events == [("pong", b"01234567")]


def test_streams_past_a_farewell_are_not_looked_at() -> None:
    end = opened(None, call(1))
    end.say_goaway()
    end.feed(call(3))

    assert [event[1] for event in end.events if event[0] == "headers"] == [1]
    assert end.said()[-1].payload[:8] == bytes([0, 0, 0, 1, 0, 0, 0, 0])


def test_more_streams_than_allowed_are_refused_unseen() -> None:
    end = opened(Options(streams=2), call(1), call(3), call(5))

    assert [(seen.stream, seen.number) for seen in end.said() if seen.kind == by_hand.RST_STREAM] == [
        (5, ErrorCode.REFUSED_STREAM)
    ]
    assert {event[1] for event in end.events} == {1, 3}


def test_what_was_under_way_to_a_stream_that_we_reset_is_no_mistake() -> None:
    end = opened(None, frame(by_hand.HEADERS, 4, 1, by_hand.block(CALL)))
    end.reset(end.streams[1], ErrorCode.CANCEL)
    end.take()
    end.feed(frame(by_hand.DATA, 1, 1, b"late") + window(1, 5) + by_hand.reset(1, 8))

    assert end.failure is None
    assert end.out == []


HEAD = by_hand.block(CALL)
OPEN = frame(by_hand.HEADERS, 4, 1, HEAD)
LARGE = Options().frame_bytes + 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(by_hand.DATA, 1, 0, b"a"), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.DATA, 1, 5, b"a"), ErrorCode.PROTOCOL_ERROR),
        (OPEN + frame(by_hand.DATA, 9, 1, b"\5abc"), ErrorCode.PROTOCOL_ERROR),
        (OPEN + frame(by_hand.DATA, 9, 1, b""), ErrorCode.PROTOCOL_ERROR),
        (OPEN + frame(by_hand.DATA, 0, 1, bytes(LARGE)), ErrorCode.FRAME_SIZE_ERROR),
        (frame(by_hand.HEADERS, 5, 0, HEAD), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.HEADERS, 5, 2, HEAD), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.HEADERS, 0x25, 1, b"\0\0\0\1\0" + HEAD), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.HEADERS, 0x25, 1, b"\0\0"), ErrorCode.FRAME_SIZE_ERROR),
        (call(5) + call(3), ErrorCode.STREAM_CLOSED),
        (frame(by_hand.HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff"), ErrorCode.COMPRESSION_ERROR),
        (frame(by_hand.HEADERS, 1, 1, HEAD) + frame(by_hand.PING, 0, 0, bytes(8)), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.HEADERS, 1, 1, HEAD) + frame(by_hand.CONTINUATION, 4, 3, b""), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.CONTINUATION, 4, 1, b""), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.HEADERS, 1, 1) + frame(by_hand.CONTINUATION, 0, 1) * 40, ErrorCode.ENHANCE_YOUR_CALM),
        (frame(by_hand.HEADERS, 1, 1) + frame(by_hand.CONTINUATION, 0, 1, bytes(40_000)) * 2, 11),
        (frame(by_hand.PRIORITY, 0, 0, bytes(5)), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.PRIORITY, 0, 1, bytes(4)), ErrorCode.FRAME_SIZE_ERROR),
        (by_hand.reset(0, 8), ErrorCode.PROTOCOL_ERROR),
        (by_hand.reset(7, 8), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.RST_STREAM, 0, 1, b"abc"), ErrorCode.FRAME_SIZE_ERROR),
        (frame(by_hand.SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.SETTINGS, 1, 0, bytes(6)), ErrorCode.FRAME_SIZE_ERROR),
        (frame(by_hand.SETTINGS, 0, 0, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
        (by_hand.settings(enable_push=2), ErrorCode.PROTOCOL_ERROR),
        (by_hand.settings(initial_window_size=2**31), ErrorCode.FLOW_CONTROL_ERROR),
        (by_hand.settings(max_frame_size=16_383), ErrorCode.PROTOCOL_ERROR),
        (by_hand.settings(max_frame_size=2**24), ErrorCode.PROTOCOL_ERROR),
        (call(1) + window(1, 2**31 - 65_536) + by_hand.settings(initial_window_size=70_000), 3),
        (frame(by_hand.PUSH_PROMISE, 4, 1, bytes(4) + HEAD), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.PING, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
        (frame(by_hand.PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.PING, 0, 0, bytes(8)) * 5000, ErrorCode.ENHANCE_YOUR_CALM),
        (by_hand.settings() * 5000, ErrorCode.ENHANCE_YOUR_CALM),
        (frame(99, 0, 0, b"") * 5000, ErrorCode.ENHANCE_YOUR_CALM),
        (OPEN + frame(by_hand.DATA, 0, 1) * 5000, ErrorCode.ENHANCE_YOUR_CALM),
        (b"".join(call(2 * i + 1) + by_hand.reset(2 * i + 1, 8) for i in range(2100)), ErrorCode.ENHANCE_YOUR_CALM),
        (frame(by_hand.GOAWAY, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.GOAWAY, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
        (window(0, 0), ErrorCode.PROTOCOL_ERROR),
        (window(0, 2**31 - 1), ErrorCode.FLOW_CONTROL_ERROR),
        (window(5, 1), ErrorCode.PROTOCOL_ERROR),
        (frame(by_hand.WINDOW_UPDATE, 0, 0, b"abc"), ErrorCode.FRAME_SIZE_ERROR),
    ],
)
def test_a_mistake_about_the_connection_ends_it_with_the_code_of_the_rfc(data: bytes, code: int) -> None:
    end = opened(None, data)
    last = end.said()[-1]

    assert (last.kind, last.code) == (by_hand.GOAWAY, code)
    assert last.payload[8:], "the peer is told in words too"
    before = len(end.events)
    end.feed(call(99))
    assert len(end.events) == before


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (call(1) + frame(by_hand.DATA, 0, 1, b"more"), ErrorCode.STREAM_CLOSED),
        (call(1) + frame(by_hand.HEADERS, 5, 1, HEAD), ErrorCode.STREAM_CLOSED),
        (OPEN + frame(by_hand.HEADERS, 4, 1, HEAD), ErrorCode.PROTOCOL_ERROR),
        (OPEN + window(1, 0), ErrorCode.PROTOCOL_ERROR),
        (OPEN + window(1, 2**31 - 1), ErrorCode.FLOW_CONTROL_ERROR),
        (OPEN + frame(by_hand.PRIORITY, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
        (OPEN + by_hand.reset(1, 8) + frame(by_hand.DATA, 0, 1, b"more"), ErrorCode.STREAM_CLOSED),
    ],
)
def test_a_mistake_about_one_stream_resets_it_and_the_others_go_on(data: bytes, code: ErrorCode) -> None:
    end = opened(None, data, call(3, b"next"))
    resets = [(seen.stream, seen.number) for seen in end.said() if seen.kind == by_hand.RST_STREAM]

    assert resets == [(1, code)]
    assert end.failure is None
    assert end.events[-1] == ("data", 3, b"next", True)


def test_more_data_than_the_window_is_refused() -> None:
    options = Options(stream_window=30_000, connection_window=65_535)
    one = opened(options, OPEN)
    one.streams[1].is_paused = True
    one.feed(frame(by_hand.DATA, 0, 1, bytes(30_001)))

    assert one.said()[-1].number == ErrorCode.FLOW_CONTROL_ERROR


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", PREFACE[:-1] + b"x", PREFACE + call(1)])
def test_a_connection_that_does_not_begin_as_http2_is_refused(data: bytes) -> None:
    end = End()
    end.feed(data)

    assert end.failure is not None
    assert end.said()[-1].kind == by_hand.GOAWAY


def test_floods_are_counted_per_period() -> None:
    end = opened()
    for _ in range(5):
        end.feed(frame(by_hand.PING, 0, 0, bytes(8)) * 3000)
        end.forgive()

    assert end.failure is None


def test_a_client_is_refused_pushes_and_streams_that_it_did_not_begin() -> None:
    for data in (frame(by_hand.PUSH_PROMISE, 4, 1, bytes(4)), frame(by_hand.HEADERS, 4, 2, b"\x88"), call(7)):
        client = End(is_client=True)
        client.feed(by_hand.settings() + data)
        assert client.failure is not None
        assert client.failure.code == ErrorCode.PROTOCOL_ERROR


def test_a_client_hears_of_resets_and_farewells_and_obeys_the_limit_of_streams() -> None:
    client = End(is_client=True)
    stream = client.begin()
    client.send_headers(stream, encode([(b":method", b"GET")]), ends=True)
    client.feed(by_hand.settings(max_concurrent_streams=7) + by_hand.reset(1, 7))
    client.feed(frame(by_hand.GOAWAY, 0, 0, bytes(4) + (2).to_bytes(4, "big")))

    assert client.peer_streams == 7
    assert client.events == [("reset", 1, 7, True), ("goaway", 0, 2)]
