import hashlib
from pathlib import Path

import pytest

from fairlead.runtimes.requirements import BadRequirements, Wanted, to_install, unmet, wanted_by


def listing(folder: Path, *lines: str, name: str = "requirements.txt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def wanted(*lines: str) -> Wanted:
    return Wanted(source="requirements.txt", requirements=lines)


def mlflow(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    env = "{conda: conda.yaml, virtualenv: python_env.yaml}"
    (folder / "MLmodel").write_text(f"flavors: {{python_function: {{env: {env}, loader_module: mlflow.sklearn}}}}\n")
    for name, text in files.items():
        (folder / name.replace("_dot_", ".")).write_text(text)
    return folder


def test_a_model_and_a_class_that_list_nothing_ask_for_nothing(tmp_path: Path) -> None:
    assert wanted_by(tmp_path, tmp_path) is None
    assert wanted_by(None, None) is None


def test_a_list_is_read_as_pip_reads_it(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"").hexdigest()
    listing(
        tmp_path,
        "# what we need",
        "six==1.16  # old",
        "numpy \\",
        "  >=1.26",
        "",
        f"cowsay==6.1 --hash=sha256:{digest}",
        "--extra-index-url https://example.org/simple?a=b",
        "-r more.txt",
        "--pre",
    )
    listing(tmp_path, "rich", "-c limits.txt", name="more.txt")
    listing(tmp_path, "rich<99", name="limits.txt")
    found = wanted_by(tmp_path)

    assert found is not None
    assert found.requirements == ("six==1.16", "numpy >=1.26", f"cowsay==6.1 --hash=sha256:{digest}", "rich")
    assert found.options == ("--extra-index-url https://example.org/simple?a=b",)
    assert (found.constraints, found.ignored) == (("rich<99",), ("--pre",))


def test_the_lists_of_a_model_and_its_class_are_one(tmp_path: Path) -> None:
    found = wanted_by(listing(tmp_path / "model", "six"), listing(tmp_path / "code", "six", "rich"))

    assert found is not None
    assert found.requirements == ("six", "rich")


@pytest.mark.parametrize("line", ["-r ../secrets.txt", "-r nowhere.txt", "../../x-1.0-py3-none-any.whl"])
def test_files_outside_the_folder_are_not_read(tmp_path: Path, line: str) -> None:
    (tmp_path / "secrets.txt").write_text("x")

    with pytest.raises(BadRequirements, match="is no file of the same folder"):
        wanted_by(listing(tmp_path / "model", line))


def test_a_model_does_not_get_at_variables_of_the_owner(tmp_path: Path) -> None:
    with pytest.raises(BadRequirements, match="variables are not filled in"):
        wanted_by(listing(tmp_path, "--index-url https://thief.example/${UV_INDEX_PRIVATE_PASSWORD}"))


def test_wheels_are_named_whether_they_lie_in_the_folder_or_on_the_web(tmp_path: Path) -> None:
    (tmp_path / "mine-1.0-py3-none-any.whl").write_bytes(b"")
    found = wanted_by(
        listing(tmp_path, "./mine-1.0-py3-none-any.whl", "https://example.org/their-2.0-py3-none-any.whl")
    )

    assert found is not None
    assert to_install(found) == [
        f"mine @ {(tmp_path / 'mine-1.0-py3-none-any.whl').resolve().as_uri()}",
        "their @ https://example.org/their-2.0-py3-none-any.whl",
    ]


@pytest.mark.parametrize("line", ["-e .", ".", "./folder"])
def test_folders_are_refused_when_something_has_to_be_installed_and_not_before(tmp_path: Path, line: str) -> None:
    found = wanted_by(listing(tmp_path, line))

    assert found is not None
    assert unmet(found) == []
    with pytest.raises(BadRequirements, match="cannot be installed; accepted: names with versions"):
        to_install(found)


def test_what_is_installed_in_another_version_or_not_at_all_is_unmet() -> None:
    found = unmet(wanted("numpy", "numpy==0.1", "cowsay==6.1", "nothing-of-that-kind; sys_platform == 'none'"))

    assert len(found) == 2
    assert found[0].startswith("numpy==0.1 (installed: ")
    assert found[1] == "cowsay==6.1 (installed: not at all)"


@pytest.mark.parametrize("line", ["numpy=>1.2", "numpy=1.2", "numpy 1.2", "numpy>=1.2,<=two"])
def test_a_mistyped_version_is_unmet_and_refused_with_its_line(line: str) -> None:
    assert unmet(wanted(line)) == ["numpy (its version cannot be read)"]
    with pytest.raises(BadRequirements, match=f"requirements.txt: '{line}' cannot be installed; accepted: names with"):
        to_install(wanted(line))


def test_addresses_are_not_repeated_since_they_may_hold_a_password() -> None:
    assert unmet(wanted("cowsay @ https://me:secret@example.org/cowsay-6.1-py3-none-any.whl")) == [
        "cowsay (installed: not at all)"
    ]


def test_what_a_worker_brings_is_not_installed() -> None:
    assert unmet(wanted("seldon-core==1.18.2", "seldon_core", "mlserver")) == []
    assert to_install(wanted("seldon_core", "six")) == ["six"]


def test_what_a_worker_has_a_stand_in_for_may_be_installed_all_the_same() -> None:
    assert to_install(wanted("kserve==0.21.0", "seldon-core"), may_replace=True) == ["kserve==0.21.0"]
    assert to_install(wanted("kserve==0.21.0", "seldon-core")) == []


def test_the_loader_of_mlflow_is_enough_for_its_models(tmp_path: Path) -> None:
    folder = mlflow(tmp_path, requirements_dot_txt="mlflow==3.1\nmlflow[extras]>=2\nmlflow-skinny\nmlflowx\n")
    found = wanted_by(folder)

    assert found is not None
    assert found.requirements == ("mlflow-skinny==3.1", "mlflow-skinny>=2", "mlflow-skinny", "mlflowx")


def test_the_python_of_an_mlflow_model_is_told(tmp_path: Path) -> None:
    python_env = "python: 3.9.7\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt]\n"
    found = wanted_by(mlflow(tmp_path, requirements_dot_txt="six\n", python_env_dot_yaml=python_env))

    assert found is not None
    assert (found.source, found.python) == ("requirements.txt", "3.9")


def test_a_conda_file_gives_its_pip_part_and_what_is_pythons(tmp_path: Path) -> None:
    conda = "dependencies: [python=3.8.3, libgomp, 'scikit-learn=1.0', pip, {pip: [mlflow, six==1.16]}]\n"
    found = wanted_by(mlflow(tmp_path / "m", conda_dot_yaml=conda))

    assert found is not None
    assert found.requirements == ("scikit-learn==1.0.*", "mlflow-skinny", "six==1.16")
    assert (found.source, found.python) == ("conda.yaml", "3.8")
    assert found.ignored == ("libgomp (no Python package)",)


def test_a_packed_environment_is_refused_unless_a_list_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "environment.tar.gz").write_bytes(b"")
    with pytest.raises(BadRequirements, match=r"environment\.tar\.gz is a packed conda environment"):
        wanted_by(tmp_path)

    assert wanted_by(listing(tmp_path, "six")) is not None
