"""Words of others as header lines: one line each, whatever is in them."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.dataplane.surfaces.header_lines import besides_type, header_line, header_lines


@given(st.text(), st.text())
def test_a_name_and_a_value_never_make_a_second_line(name: str, value: str) -> None:
    line = header_line(name, value)

    assert line.endswith(b"\r\n")
    assert line.count(b"\r") == line.count(b"\n") == 1
    assert line.isascii()


def test_words_that_fit_stay_as_they_are() -> None:
    assert header_lines({"X-A": "1", "X-B": "b c"}) == b"X-A: 1\r\nX-B: b c\r\n"


def test_a_media_type_in_any_case_is_left_out() -> None:
    assert besides_type({"content-TYPE": "text/plain", "X-A": "1"}) == b"X-A: 1\r\n"
