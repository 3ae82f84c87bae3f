"""Server-sent events of OpenAI's streams: whatever is in them, clients read it as it was."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from fairlead.protocols.openai_events import DONE, as_events, event

Values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def read(pieces: list[bytes]) -> list[str]:
    """The data of each event, as the standard says to read them: lines end in CR, LF or both, a blank line ends one."""
    text = b"".join(pieces).decode()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found: list[str] = []
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                found.append("\n".join(data))
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    return found


@given(st.lists(Values, max_size=5), st.data())
def test_values_come_out_as_they_went_in(values: list[Any], data: st.DataObject) -> None:
    stream = b"".join(event(orjson.dumps(value)) for value in values) + DONE
    cut = data.draw(st.integers(0, len(stream)))

    *told, last = read([stream[:cut], stream[cut:]])

    assert [orjson.loads(one) for one in told] == values
    assert last == "[DONE]"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_what_user_code_says_is_one_event_or_its_own(said: str) -> None:
    framed = as_events(said)

    assert framed.endswith(b"\n\n")
    if not said.startswith(("data:", "event:", "id:", "retry:", ":")):
        lines = said.encode().splitlines() or [b""]
        assert read([framed]) == [b"\n".join(lines).decode()]


def test_events_of_user_code_are_left_alone() -> None:
    assert as_events('data: {"a": 1}\n\n') == b'data: {"a": 1}\n\n'
    assert as_events(b'data: {"a": 1}') == b'data: {"a": 1}\n\n'
    assert as_events('{"a": 1}') == b'data: {"a": 1}\n\n'
    assert as_events("data: [DONE]\n\n") == DONE
