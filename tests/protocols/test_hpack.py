"""Header compression against the RFC's own examples, a second implementation, and hostile bytes."""

import hpack as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest
from fairlead.protocols import huffman
from fairlead.protocols.hpack import Decoder, encode

Headers = list[tuple[bytes, bytes]]

names = st.sampled_from([b":path", b"accept", b"x-id", b"authorization"]) | st.binary(min_size=1, max_size=20)
header_lists = st.lists(st.tuples(names, st.binary(max_size=200)), max_size=12)

FIRST = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")]
SECOND = [*FIRST, (b"cache-control", b"no-cache")]
THIRD = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":path", b"/index.html"),
    (b":authority", b"www.example.com"),
    (b"custom-key", b"custom-value"),
]
PLAIN = [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
]
CODED = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
]


@pytest.mark.parametrize("blocks", [PLAIN, CODED], ids=["RFC 7541 C.3", "RFC 7541 C.4"])
def test_the_requests_of_the_rfc_are_read(blocks: list[str]) -> None:
    decoder = Decoder()

    assert [decoder.decode(bytes.fromhex(block)).headers for block in blocks] == [FIRST, SECOND, THIRD]


def test_the_evicting_answers_of_the_rfc_are_read() -> None:
    decoder = Decoder(table_bytes=256)
    blocks = [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672"
        "c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ]

    first, second, third = [decoder.decode(bytes.fromhex(block)).headers for block in blocks]

    date = (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT")
    rest = [(b"cache-control", b"private"), date, (b"location", b"https://www.example.com")]
    assert first == [(b":status", b"302"), *rest]
    assert second == [(b":status", b"307"), *rest]
    assert third[0] == (b":status", b"200")
    assert third[-1] == (b"set-cookie", b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1")


@given(header_lists)
def test_what_is_written_reads_as_itself_here_and_elsewhere(headers: Headers) -> None:
    block = encode(headers)
    theirs = oracle.Decoder(max_header_list_size=1 << 20).decode(block, raw=True)

    assert Decoder().decode(block).headers == headers
    assert [(bytes(name), bytes(value)) for name, value in theirs] == headers


@given(st.lists(header_lists, min_size=1, max_size=8), st.lists(st.sampled_from([0, 60, 200, 4096]), max_size=8))
def test_a_connection_of_another_encoder_is_read(blocks: list[Headers], sizes: list[int]) -> None:
    encoder, decoder = oracle.Encoder(), Decoder()
    for index, headers in enumerate(blocks):
        if index < len(sizes):
            encoder.header_table_size = sizes[index]
        again = encoder.encode(headers)
        assert decoder.decode(again).headers == headers
        assert decoder.decode(encoder.encode(headers)).headers == headers


@given(st.binary(max_size=80))
def test_huffman_strings_of_another_encoder_are_read(data: bytes) -> None:
    assert huffman.decode(oracle.Encoder().huffman_coder.encode(data)) == data


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        Decoder().decode(data)
    except BadRequest:
        return


def test_a_repeated_block_is_the_same_object_until_the_table_changes() -> None:
    decoder = Decoder()
    block = encode(FIRST)
    kept = decoder.decode(block)
    again = decoder.decode(block)
    decoder.decode(bytes.fromhex(PLAIN[0]))
    after = decoder.decode(block)

    assert again is kept
    assert after is not kept
    assert after.headers == kept.headers


def test_a_block_that_changes_the_table_is_read_each_time() -> None:
    decoder = Decoder()
    inserting = bytes.fromhex("4001610131")
    newest, second = b"\xbe", b"\xbf"
    for _ in range(2):
        decoder.decode(inserting)

    assert decoder.decode(newest).headers == [(b"a", b"1")]
    assert decoder.decode(second).headers == [(b"a", b"1")]


def test_a_kept_block_with_an_index_means_what_the_table_says_now() -> None:
    decoder = Decoder()
    decoder.decode(bytes.fromhex("4001610131"))
    before = decoder.decode(b"\xbe").headers
    decoder.decode(bytes.fromhex("4001620132"))

    assert (before, decoder.decode(b"\xbe").headers) == ([(b"a", b"1")], [(b"b", b"2")])


def test_a_list_over_the_limit_is_left_out_and_the_table_stays_right() -> None:
    decoder = Decoder(list_bytes=100)
    large = decoder.decode(bytes.fromhex("4001610131") + encode([(b"b", b"x" * 200)]))

    assert (large.is_too_large, large.headers) == (True, [])
    assert decoder.decode(b"\xbe").headers == [(b"a", b"1")]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("80", "entry 0"),
        ("be", "entry 62"),
        ("ff808080808080", "too long"),
        ("ff80", "ends within a number"),
        ("0005616263", "ends within a string"),
        ("00", "before a string"),
        ("8220", "within a header block"),
        ("3fe21f", "4097"),
        ("0081ff00", "ends within a symbol"),
        ("0084ffffffff00", "end mark"),
    ],
)
def test_blocks_that_are_no_hpack_are_refused_with_a_reason(block: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        Decoder().decode(bytes.fromhex(block))


def test_credentials_are_marked_as_never_to_be_put_into_a_table() -> None:
    assert encode([(b"authorization", b"secret")])[0] & 0xF0 == 0x10


def test_blocks_of_large_headers_are_not_kept() -> None:
    """A few bytes can stand for many: what is kept is counted by what it holds."""
    decoder = Decoder()
    decoder.decode(b"\x40\x01a\x7f\xa1\x1d" + b"v" * 3872)
    small, large = encode([(b"b", b"1")]), b"\xbe" * 15

    assert decoder.decode(small) is decoder.decode(small)
    assert decoder.decode(large) is not decoder.decode(large)
    assert len(decoder.decode(large).headers) == 15


def test_blocks_that_never_repeat_are_kept_up_to_a_limit_of_bytes() -> None:
    decoder = Decoder()
    first = encode([(b"name", b"0" * 900)])
    kept = decoder.decode(first)
    for number in range(1, 80):
        decoder.decode(encode([(b"name", b"%0900d" % number)]))

    assert decoder.decode(first) is not kept
