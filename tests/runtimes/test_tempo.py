from pathlib import Path

import pytest

from fairlead.errors import LoadError
from support.units import unit
from support.user_files import load


def test_tempos_folders_are_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"Tempo's folders are not served: .* serve the class as your own Python code"):
        load(unit("tempo"), folder=tmp_path)
