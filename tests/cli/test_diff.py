"""What manifests would change, told before they are applied."""

import subprocess
from pathlib import Path

import pytest
import yaml

from support.inference_services import isvc
from support.instance import Installation
from support.manifests import sdep, sklearn

pytestmark = pytest.mark.slow


def differing(running: Installation, file: Path) -> "subprocess.CompletedProcess[str]":
    done = running.run("diff", "-f", str(file), check=False)
    assert (done.returncode, done.stderr) == (1, "")
    return done


def sklearn_at(folder: Path) -> dict[str, object]:
    return {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": f"file://{folder}"}}


def test_a_diff_says_what_would_run_otherwise_and_changes_nothing(
    running: Installation, iris: Path, tmp_path: Path
) -> None:
    file = tmp_path / "m.yaml"
    label = "seldondeployment.machinelearning.seldon.io/compared"
    file.write_text(yaml.safe_dump(sdep("compared", sklearn(iris), namespace="compared")))

    new = differing(running, file).stdout.splitlines()
    running.run("apply", "-f", str(file))
    same = running.run("diff", "-f", str(file)).stdout
    file.write_text(yaml.safe_dump(sdep("compared", sklearn(iris, replicas=2), namespace="compared")))
    more = differing(running, file).stdout.splitlines()
    again = differing(running, file).stdout.splitlines()

    assert new[0] == f"{label} would be created"
    assert new[1].startswith("  default: added, revision ")
    assert same == ""
    assert more == [f"{label} would change", "  default: 1 replica → 2 replicas"] == again


def test_a_kind_that_runs_nothing_is_told_by_its_fields_without_their_values(
    running: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "s.yaml"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"a": "one", "b": "x"}}
    file.write_text(yaml.safe_dump(secret))
    running.run("apply", "-f", str(file))
    file.write_text(yaml.safe_dump(secret | {"stringData": {"a": "hidden", "b": "x"}}))

    told = differing(running, file).stdout.splitlines()

    assert told == ["secret/keys would change", "  data.a"]


def test_an_inference_service_is_compared_with_what_the_server_has_for_it(
    running: Installation, iris: Path, tmp_path: Path
) -> None:
    file = tmp_path / "i.yaml"
    file.write_text(yaml.safe_dump(isvc("judged", sklearn_at(iris))))
    running.run("apply", "-f", str(file))

    same = running.run("diff", "-f", str(file)).stdout
    file.write_text(yaml.safe_dump(isvc("judged", sklearn_at(iris.parent))))
    told = differing(running, file).stdout

    assert same == ""
    assert "inferenceservice.serving.kserve.io/judged would change\n" in told
    assert "predictor" in told
