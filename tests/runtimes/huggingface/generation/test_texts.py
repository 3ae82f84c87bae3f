"""Text that grows: any division of it joins to the whole, and nothing of a word to stop at is told."""

from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.runtimes.huggingface.generation.texts import StopStrings, TextStream

LETTERS = st.text(alphabet="abX", max_size=30)


@given(
    st.lists(st.text(alphabet="abX", max_size=5)), st.lists(st.text(alphabet="abX", min_size=1, max_size=4), max_size=3)
)
@example(["a", "b", "aX"], ["abaX"])
def test_text_ends_before_the_first_word_to_stop_at(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    watch = StopStrings(stops)
    told, is_stopped = "", False

    for piece in pieces:
        more, is_stopped = watch.feed(piece)
        told += more
        assert not any(stop in told for stop in stops)
        if is_stopped:
            break
    if not is_stopped:
        told += watch.rest()

    ends = [whole.find(stop) + len(stop) for stop in stops if stop in whole]
    assert is_stopped == bool(ends)
    if not ends:
        assert told == whole
    else:  # nothing behind the first word that was complete changes where the text ends
        seen = whole[: min(ends)]
        assert told == min((seen.split(stop)[0] for stop in stops if stop in seen), key=len)


@given(st.text(max_size=40), st.text(max_size=5))
def test_letters_are_told_when_they_are_whole(text: str, before: str) -> None:
    def decode(ids: list[int]) -> str:
        return bytes(ids).decode("utf-8", "replace")

    stream = TextStream(decode, before.encode()[-5:] if before.isascii() else b"")

    pieces = [stream.feed(byte) for byte in text.encode()]

    assert "".join(pieces) + stream.rest() == text
    assert "�" in text or not any("�" in piece for piece in pieces)


def test_half_a_letter_at_the_end_is_told_as_what_it_is() -> None:
    stream = TextStream(lambda ids: bytes(ids).decode("utf-8", "replace"))

    assert [stream.feed(byte) for byte in "ä".encode()[:1]] == [""]
    assert stream.rest() == "�"


def test_blanks_between_words_come_with_the_next_word() -> None:
    words = ["a", "very", "good", "film"]
    stream = TextStream(lambda ids: " ".join(words[one] for one in ids), context=[0, 1])

    assert [stream.feed(2), stream.feed(3), stream.rest()] == [" good", " film", ""]
