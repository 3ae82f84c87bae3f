"""Where the text of a request comes from."""

from pathlib import Path

import pytest

from fairlead.cli.exits import UsageError
from fairlead.cli.predict import read_data


def test_data_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text("[[1]]")

    assert read_data(f"@{tmp_path / 'd.json'}") == "[[1]]"


def test_a_data_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"--data @gone\.json: cannot be read"):
        read_data("@gone.json")
