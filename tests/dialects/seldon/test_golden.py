"""Every folder of tests/golden/seldon: a manifest and the plan it becomes, or the words that refuse it.

`pytest tests/dialects/seldon/test_golden.py --update-golden` writes what the code gives now; read the difference
before committing it.
"""

from pathlib import Path

import pytest

from fairlead.dialects.seldon import SeldonDialect
from support import golden


@pytest.mark.parametrize("folder", golden.folders("seldon"), ids=lambda folder: folder.name)
def test_manifest_becomes_what_its_folder_says(folder: Path, pytestconfig: pytest.Config) -> None:
    name, text = golden.outcome(folder, SeldonDialect())
    expected = folder / name
    if pytestconfig.getoption("--update-golden"):
        (folder / ("error.txt" if name == "plan.json" else "plan.json")).unlink(missing_ok=True)
        expected.write_text(text)

    assert expected.exists(), f"{folder.name} gives {name}:\n{text}"
    assert text == expected.read_text()
