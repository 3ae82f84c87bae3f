"""Every folder of tests/golden with a `kubernetes.yaml`: a manifest and the objects that it becomes in a cluster.

`pytest tests/backends/kubernetes/test_golden.py --update-golden` writes what the code gives now; read the difference
before committing it.
"""

from pathlib import Path

import pytest

from fairlead.dialects.document import load
from support import golden, golden_objects
from support.object_schemas import complaints


def _name(folder: Path) -> str:
    return str(folder.relative_to(golden.ROOT))


@pytest.mark.parametrize("folder", golden_objects.folders(), ids=_name)
def test_manifest_becomes_the_objects_of_its_folder(folder: Path, pytestconfig: pytest.Config) -> None:
    text = golden_objects.outcome(folder)
    expected = folder / golden_objects.EXPECTED
    if pytestconfig.getoption("--update-golden"):
        expected.write_text(text)

    assert text == expected.read_text()
    since = golden_objects.since(folder)
    assert [problem for one in load(text, _name(folder)) for problem in complaints(one.doc, since=since)] == []
