from pathlib import Path

import pytest

from fairlead.errors import LoadError
from fairlead.plan.model import UserCode
from fairlead.runtimes.user_code import find_target, import_target
from support.user_files import forgotten


def test_the_environment_names_the_class(tmp_path: Path) -> None:
    assert find_target(tmp_path, {"MODEL_NAME": "pkg.Model"}) == "pkg.Model"


def test_the_file_of_a_source_to_image_project_names_the_class(tmp_path: Path) -> None:
    (tmp_path / ".s2i").mkdir()
    (tmp_path / ".s2i" / "environment").write_text("# build\nMODEL_NAME=Mine\nSERVICE_TYPE=MODEL\n\n")

    assert find_target(tmp_path, {}) == "Mine"


def test_the_only_module_with_a_class_of_its_name_is_meant(tmp_path: Path) -> None:
    (tmp_path / "Mine.py").write_text("class Mine:\n    pass\n")
    (tmp_path / "train.py").write_text("print('training')\n")

    assert find_target(tmp_path, {}) == "Mine"


@pytest.mark.parametrize(("names", "found"), [(["A", "B"], "A, B"), ([], "none")])
def test_a_folder_that_could_mean_anything_says_how_to_choose(tmp_path: Path, names: list[str], found: str) -> None:
    for name in names:
        (tmp_path / f"{name}.py").write_text(f"class {name}:\n    pass\n")

    with pytest.raises(LoadError, match="Set MODEL_NAME") as refused:
        find_target(tmp_path, {})
    assert str(refused.value).endswith(found)


def test_a_module_does_not_find_our_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import argparse\nargparse.ArgumentParser().parse_args()\n\n\nclass Strict:\n    pass\n"
    (tmp_path / "Strict.py").write_text(source)
    monkeypatch.setattr("sys.argv", ["worker", "--spec", "x.json"])

    with forgotten():
        found = import_target(UserCode(target="Strict", path=str(tmp_path)), unit="strict")

    assert found.__name__ == "Strict"
