"""What a person types becomes a request."""

from pathlib import Path
from typing import Any

import pytest

from fairlead.cli.exits import UsageError
from fairlead.cli.predict import read_data, request_body


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("[[1,2],[3,4]]", {"data": {"ndarray": [[1, 2], [3, 4]]}}),
        ("[1,2]", {"data": {"ndarray": [[1, 2]]}}),
        ('"hello"', {"strData": "hello"}),
        ('{"jsonData": {"a": 1}}', {"jsonData": {"a": 1}}),
        ('{"data": {"tensor": {"shape": [1], "values": [1]}}}', {"data": {"tensor": {"shape": [1], "values": [1]}}}),
    ],
)
def test_rows_text_and_whole_requests_are_understood(typed: str, sent: dict[str, Any]) -> None:
    assert request_body(typed) == sent


@pytest.mark.parametrize("typed", ["hello", "{", "3", "null"])
def test_what_is_no_request_is_refused_before_it_is_sent(typed: str) -> None:
    with pytest.raises(UsageError, match="--data"):
        request_body(typed)


def test_data_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text("[[1]]")

    assert read_data(f"@{tmp_path / 'd.json'}") == "[[1]]"


def test_a_data_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"--data @gone\.json: cannot be read"):
        read_data("@gone.json")
