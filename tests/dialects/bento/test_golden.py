"""Every folder of tests/golden/bento: a manifest of Yatai's, what is stored beside it, and the plan it becomes or the
words that refuse it. `--update-golden` writes what the code gives now."""

from pathlib import Path

import pytest

from fairlead.dialects.bento import BentoDialect
from support import golden


@pytest.mark.parametrize("folder", golden.folders("bento"), ids=lambda folder: folder.name)
def test_manifest_becomes_what_its_folder_says(folder: Path, pytestconfig: pytest.Config) -> None:
    name, text = golden.outcome(folder, BentoDialect("http://localhost:8080"), is_stored=True)
    expected = folder / name
    if pytestconfig.getoption("--update-golden"):
        (folder / ("error.txt" if name == "plan.json" else "plan.json")).unlink(missing_ok=True)
        expected.write_text(text)

    assert expected.exists(), f"{folder.name} gives {name}:\n{text}"
    assert text == expected.read_text()
