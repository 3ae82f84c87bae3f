"""Manifests of all dialects as the server would take them, without one."""

from pathlib import Path

import pytest
import yaml

from fairlead.cli.app import run
from fairlead.cli.manifests import read_documents
from fairlead.cli.reading import Reader
from fairlead.dialects.catalog import Catalog
from fairlead.errors import InvalidManifest
from fairlead.plan.model import Plan

ISVC = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "iris"},
    "spec": {"predictor": {"sklearn": {"storageUri": "gs://models/iris"}}},
}
SDEP = {
    "apiVersion": "machinelearning.seldon.io/v1",
    "kind": "SeldonDeployment",
    "metadata": {"name": "iris"},
    "spec": {"predictors": [{"name": "a", "graph": {"name": "m", "implementation": "SIMPLE_MODEL"}}]},
}
RUNTIME = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "ServingRuntime",
    "metadata": {"name": "mine"},
    "spec": {
        "supportedModelFormats": [{"name": "cobol", "autoSelect": True}],
        "containers": [{"name": "kserve-container", "image": "kserve/sklearnserver:latest"}],
    },
}


def plans(folder: Path, *manifests: object) -> list[Plan]:
    path = folder / "m.yaml"
    path.write_text(yaml.safe_dump_all(manifests))
    documents = read_documents([str(path)])
    reader = Reader.of(documents, Catalog())
    return [plan for document in documents if (plan := reader.plan(document)) is not None]


def test_every_dialect_is_found_by_its_kind(tmp_path: Path) -> None:
    assert [plan.owner.kind for plan in plans(tmp_path, ISVC, SDEP)] == ["InferenceService", "SeldonDeployment"]


def test_defaults_are_filled_in_first(tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, ISVC)

    assert plan.owner.namespace == "default"
    assert plan.components[0].revision.units[0].runtime == "sklearn"


def test_a_manifest_may_refer_to_what_came_with_it(tmp_path: Path) -> None:
    model = {"modelFormat": {"name": "cobol"}, "storageUri": "gs://models/iris"}
    service = {**ISVC, "spec": {"predictor": {"model": model}}}

    assert [plan.owner.name for plan in plans(tmp_path, service, RUNTIME)] == ["iris"]
    with pytest.raises(InvalidManifest, match="no runtime found to support predictor"):
        plans(tmp_path, service)


def test_host_names_end_in_the_domain_of_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.toml").write_text('domain = "models.lan"\n')
    manifest = tmp_path / "m.yaml"
    manifest.write_text(yaml.safe_dump(ISVC))

    assert run(["plan", "-f", str(manifest), "--home", str(tmp_path)]) == 0

    assert "route iris.default.models.lan/ -> predictor-00001" in capsys.readouterr().out


def test_kinds_that_run_nothing_have_no_plan(tmp_path: Path) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}

    assert plans(tmp_path, RUNTIME, namespace) == []


def test_records_that_nobody_writes_are_no_kind_to_read(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("apiVersion: serving.knative.dev/v1\nkind: Revision\nmetadata: {name: a}\n")
    (document,) = read_documents([str(path)])

    assert Reader.of([document], Catalog()).kind_of(document) is None
