"""`fairlead render`: the objects of manifests, with no cluster."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.cli.app import run

IRIS = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: iris}
spec:
  predictors:
  - name: default
    graph: {name: classifier, implementation: SKLEARN_SERVER, modelUri: "gs://models/iris"}
"""
SERVICE = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: own, namespace: models}
spec:
  predictor:
    model: {modelFormat: {name: mine}, storageUri: "s3://b/m"}
    serviceAccountName: reader
"""
RUNTIME = """\
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata: {name: mine, namespace: models}
spec:
  supportedModelFormats: [{name: mine, version: "1", autoSelect: true}]
  containers: [{name: kserve-container, image: "example.com/mine:1"}]
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: models}
stringData: {AWS_ACCESS_KEY_ID: someone, AWS_SECRET_ACCESS_KEY: hush}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: models}
secrets: [{name: keys}]
"""


@pytest.fixture
def home(tmp_path: Path) -> str:
    return str(tmp_path / "home")


def write(folder: Path, *texts: str, name: str = "m.yaml") -> str:
    path = folder / name
    path.write_text("---\n".join(texts))
    return str(path)


def rendered(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[list[dict[str, Any]], str]:
    """The objects that one call prints, and what it tells beside them."""
    code = run(["render", *arguments])
    told = capsys.readouterr()
    assert code == 0, told.err
    return list(yaml.safe_load_all(told.out)), told.err


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 1) -> str:
    assert run(["render", *arguments]) == code
    told = capsys.readouterr()
    assert told.out == ""
    return told.err


def test_objects_are_printed_in_the_order_to_apply_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str
) -> None:
    objects, told = rendered(capsys, "-f", write(tmp_path, IRIS), "--home", home)

    kinds = [made["kind"] for made in objects]
    assert kinds.index("Service") < kinds.index("Deployment") < kinds.index("HTTPRoute")
    assert {made["metadata"]["namespace"] for made in objects} == {"default"}
    assert told == ""


def test_the_namespace_is_for_manifests_that_name_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str
) -> None:
    file = write(tmp_path, IRIS, RUNTIME, SERVICE)

    objects, _ = rendered(capsys, "-f", file, "-n", "seldon", "--home", home)

    assert {made["metadata"]["namespace"] for made in objects} == {"seldon", "models"}


def test_documents_see_each_other_and_no_secret_is_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str
) -> None:
    (tmp_path / "all").mkdir()
    write(tmp_path / "all", SERVICE, name="a.yaml")
    write(tmp_path / "all", SECRET, name="b.yaml")

    objects, _ = rendered(capsys, "-f", str(tmp_path / "all"), "-f", write(tmp_path, RUNTIME), "--home", home)

    text = json.dumps(objects)
    assert "example.com/mine:1" in text
    assert '{"name": "keys", "key": "AWS_SECRET_ACCESS_KEY"}' in text
    assert "hush" not in text
    assert {made["kind"] for made in objects}.isdisjoint({"Secret", "ServiceAccount", "ServingRuntime"})


def test_json_is_one_list(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str) -> None:
    assert run(["render", "-f", write(tmp_path, IRIS), "-o", "json", "--home", home]) == 0

    listed = json.loads(capsys.readouterr().out)
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    assert len(listed["items"]) > 2


def test_a_folder_gets_a_file_for_each_object(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str) -> None:
    arguments = ["render", "-f", write(tmp_path, IRIS), "-o", "dir", str(tmp_path / "out"), "--home", home]

    assert run(arguments) == 0
    told = capsys.readouterr()
    first = {path: path.read_text() for path in (tmp_path / "out" / "default").iterdir()}
    stale = tmp_path / "out" / "default" / "service-old.yaml"
    stale.write_text("kind: Service\n")
    assert run(arguments) == 0

    assert sorted(told.out.split()) == sorted(map(str, first))
    assert "deployment.apps-iris-default-0-classifier.yaml" in {path.name for path in first}
    assert "service-iris-default.yaml" in {path.name for path in first}
    assert {path: path.read_text() for path in first} == first
    assert stale.read_text() == "kind: Service\n"
    assert f"{stale}: warning: no object of these manifests" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["-o", "dir"], ["somewhere"], ["somewhere", "-o", "json"]])
def test_a_folder_and_its_form_belong_together(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str]
) -> None:
    told = refused(capsys, *arguments, "-f", write(tmp_path, IRIS), code=2)

    assert "-o dir is followed by the folder" in told


def test_values_decide_and_unknown_ones_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str) -> None:
    values = write(tmp_path, "istio: {enabled: true, gatway: a/b}\n", name="values.yaml")

    objects, told = rendered(capsys, "-f", write(tmp_path, IRIS), "--values", values, "--home", home)

    assert "VirtualService" in {made["kind"] for made in objects}
    assert told == f"warning: {values}:1: istio.gatway: no value that Fairlead reads; did you mean istio.gateway?\n"


def test_what_a_router_cannot_say_is_told_with_the_manifest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str
) -> None:
    values, file = write(tmp_path, "routing: ingress\n", name="values.yaml"), write(tmp_path, IRIS)

    _, told = rendered(capsys, "-f", file, "--values", values, "--home", home)

    assert all(line.startswith(f"{file}:1: warning: ") for line in told.splitlines())
    assert "set ingress.rewrite to nginx" in told


def test_bad_manifests_are_refused_all_at_once_with_their_lines(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str
) -> None:
    unknown = IRIS.replace("SKLEARN_SERVER", "NO_SERVER")
    file = write(tmp_path, unknown, IRIS, SERVICE.replace("name: mine", "name: nobodys"))

    told = refused(capsys, "-f", file, "--home", home)

    assert f"{file}:" in told
    assert "NO_SERVER" in told
    assert "nobodys" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: A\nmetadata: {name: a}\n", "apiVersion is missing"),
        (IRIS.replace("SeldonDeployment", "SeldonDeploymnt"), "did you mean SeldonDeployment"),
        (IRIS.replace("{name: iris}", "{name: iris, labels: {a: 1}}"), "metadata.labels: must be text by text"),
    ],
)
def test_what_is_no_manifest_of_ours_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str, text: str, said: str
) -> None:
    assert said in refused(capsys, "-f", write(tmp_path, text), "--home", home)


@pytest.mark.parametrize(("name", "text"), [("values.yaml", "- a\n"), ("values.yaml", "keda: {enabled: 3}\n")])
def test_bad_values_are_refused_with_their_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str, name: str, text: str
) -> None:
    values = write(tmp_path, text, name=name)

    assert f"{values}:1" in refused(capsys, "-f", write(tmp_path, IRIS), "--values", values, "--home", home)


def test_values_that_are_not_there_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str) -> None:
    told = refused(capsys, "-f", write(tmp_path, IRIS), "--values", str(tmp_path / "none.yaml"), "--home", home)

    assert "none.yaml: cannot be read: No such file" in told


def test_kinds_of_others_make_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str) -> None:
    assert run(["render", "-f", write(tmp_path, SECRET, RUNTIME), "--home", home]) == 0

    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "These manifests make no objects.\n")


def test_two_manifests_that_make_one_object_differently_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str
) -> None:
    other = IRIS.replace("gs://models/iris", "gs://models/other")

    told = refused(capsys, "-f", write(tmp_path, IRIS, other), "--home", home)

    assert "makes Deployment iris-default-0-classifier, and so does SeldonDeployment/iris, differently" in told


def test_a_manifest_given_twice_makes_its_objects_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: str
) -> None:
    once, _ = rendered(capsys, "-f", write(tmp_path, IRIS, name="a.yaml"), "--home", home)
    twice, _ = rendered(capsys, "-f", write(tmp_path, IRIS, IRIS), "--home", home)

    assert twice == once
