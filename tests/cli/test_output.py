"""Tables keep their columns, documents their order."""

import pytest

from fairlead.cli.output import Columns, document, pairs, size


def test_columns_are_as_wide_as_their_widest_cell(capsys: pytest.CaptureFixture[str]) -> None:
    Columns(["name", "state"]).print([["iris-model", "Available"], ["x", "Failed"]])

    assert capsys.readouterr().out == "NAME         STATE\niris-model   Available\nx            Failed\n"


def test_headings_come_once_and_later_rows_stay_under_them(capsys: pytest.CaptureFixture[str]) -> None:
    columns = Columns(["name", "state"])
    columns.print([["iris", "Creating"]])
    columns.print([["iris", "Available"]])

    assert capsys.readouterr().out == "NAME   STATE\niris   Creating\niris   Available\n"


def test_a_document_keeps_the_order_of_its_keys() -> None:
    value = {"kind": "A", "apiVersion": "ü"}

    assert document(value, "yaml") == "kind: A\napiVersion: ü"
    assert document(value, "json") == '{\n  "kind": "A",\n  "apiVersion": "ü"\n}'


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**30, "5.0 GiB")])
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text


def test_no_pairs_are_shown_as_none() -> None:
    assert pairs({}) == "<none>"
    assert pairs({"b": 1, "a": 2}) == "a=2, b=1"
