"""The command tree itself: quick to start, and clear about mistakes."""

import subprocess
import sys
from pathlib import Path

import pytest

from fairlead.cli.app import run

# What serving needs and a command line does not; any of them would be felt at every call.
HEAVY = ("numpy", "pydantic", "sqlalchemy", "starlette", "uvloop", "obstore", "msgspec", "fairlead.control.store")


def imported(*arguments: str) -> set[str]:
    """The modules that one command leaves imported."""
    program = (
        "import sys; from fairlead.cli.app import run; "
        f"run({list(arguments)!r}); sys.stderr.write('\\n'.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    return set(done.stderr.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["get", "--help"], ["down", "--home", "/nonexistent"]])
def test_a_command_imports_only_what_it_needs(arguments: list[str]) -> None:
    assert not imported(*arguments) & set(HEAVY)


def test_an_unknown_command_suggests_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["aply"]) == 2
    assert 'Did you mean "apply"' in capsys.readouterr().err


def test_a_missing_argument_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["apply"]) == 2
    assert "--filename" in capsys.readouterr().err


def test_without_an_instance_a_command_says_how_to_start_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["get", "sdep", "--home", str(tmp_path)]) == 1
    assert "start it with `fairlead up`" in capsys.readouterr().err


def test_validate_warns_of_what_would_be_taken_and_not_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(
        "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata:\n  name: a\n  annotations:\n"
        "    autoscaling.knative.dev/window: 1s\nspec:\n  predictor:\n    model:\n"
        "      modelFormat: {name: sklearn}\n      storageUri: gs://b/m\n"
    )

    assert run(["validate", "-f", str(manifest), "--home", str(tmp_path)]) == 0

    told = capsys.readouterr()
    assert f"{manifest}:1: InferenceService/a is valid" in told.out
    assert "warning: with these files alone it would be taken and not run" in told.err
    assert f"{manifest}:6: metadata.annotations.autoscaling.knative.dev/window: expected 6s <= 1s <= 1h0m0s" in told.err


def test_validate_and_plan_need_no_server(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(
        "apiVersion: machinelearning.seldon.io/v1\nkind: SeldonDeployment\nmetadata: {name: a}\nspec:\n"
        "  predictors:\n  - name: p\n    graph: {name: g, implementation: SKLEARN_SERVER, modelUri: gs://b/m}\n"
    )

    assert run(["validate", "-f", str(manifest), "--home", str(tmp_path)]) == 0
    assert run(["plan", "-f", str(manifest), "--home", str(tmp_path)]) == 0

    text = capsys.readouterr().out
    assert f"{manifest}:1: SeldonDeployment/a is valid" in text
    assert "unit g: sklearn runtime" in text
    assert "model gs://b/m" in text


@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n", "does not know Deployment of apps/v1"),
        ("apiVersion: machinelearning.seldon.io/v9\nkind: SeldonDeployment\nmetadata: {name: a}\n", "seldon.io/v1"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: Not_A_Name}\n", "lowercase RFC 1123 subdomain"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: {b: 1}}\n", "put numbers in quotes"),
    ],
)
def test_validate_refuses_what_the_server_would_refuse_for_any_kind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, head: str, complaint: str
) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(head)

    assert run(["validate", "-f", str(manifest), "--home", str(tmp_path)]) == 1

    said = capsys.readouterr().err
    assert said.startswith(f"fairlead: {manifest}:")
    assert complaint in said


def test_validate_lists_every_mistake_of_every_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    one = (
        "apiVersion: machinelearning.seldon.io/v1\nkind: SeldonDeployment\nmetadata: {name: a}\nspec:\n"
        "  predictors:\n  - name: p\n    graph: {name: g, implementation: SKLEARN_SERVER}\n---\n"
    )
    manifest.write_text(one + one)

    assert run(["validate", "-f", str(manifest), "--home", str(tmp_path)]) == 1

    assert capsys.readouterr().err.count("modelUri required") == 2
