"""Every folder of tests/golden/kserve/validation: a manifest, what it replaces (`old.yaml`) or is stored beside it
(`world.yaml`), and the words that refuse it. `--update-golden` writes what the code says now."""

from pathlib import Path

import pytest

from fairlead.dialects.kserve import KServeDialect
from support import golden

DIALECT = KServeDialect()


@pytest.mark.parametrize("folder", golden.folders("kserve/validation"), ids=lambda folder: folder.name)
def test_manifest_is_refused_in_the_words_of_its_folder(folder: Path, pytestconfig: pytest.Config) -> None:
    text = golden.refusal(folder, DIALECT)
    expected = folder / "refusal.txt"
    if pytestconfig.getoption("--update-golden"):
        expected.write_text(text)

    assert text, f"{folder.name} is taken"
    assert text == expected.read_text()
