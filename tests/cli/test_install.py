"""`fairlead install` and `uninstall` as commands: what they print, which cluster they mean, how they end."""

from pathlib import Path

import pytest
import yaml

from fairlead.cli.app import run
from support.cluster.apart import Apart

PLACE = "fairlead-system"


def test_a_dry_run_prints_every_object_and_needs_no_cluster(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("crd: {create: false}\nusageMetrics: {enabled: true}\nistio: {enabled: true}\n")

    assert run(["install", "--dry-run", "--values", str(values), "-n", "ops"]) == 0

    told = capsys.readouterr()
    kinds = [doc["kind"] for doc in yaml.safe_load_all(told.out)]
    assert kinds[0] == "Namespace"
    assert {"Deployment", "ClusterRole", "ValidatingWebhookConfiguration"} <= set(kinds)
    assert "usageMetrics" in told.err


def test_values_that_are_wrong_are_refused_before_anything_is_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("webhook: {failurePolicy: Never}\n")

    assert run(["install", "--values", str(values), "--kubeconfig", str(tmp_path / "none")]) == 1

    assert "must be one of Fail, Ignore" in capsys.readouterr().err


def test_a_kubeconfig_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["install", "--kubeconfig", str(tmp_path / "none")]) == 1

    assert "no way to a cluster" in capsys.readouterr().err


@pytest.mark.slow
def test_a_cluster_is_installed_upgraded_and_left(
    apart: Apart, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kubeconfig = apart.options(tmp_path)

    assert run(["install", *kubeconfig]) == 0
    told = capsys.readouterr()
    assert f"Cluster: {apart.cluster.url}" in told.err
    assert "deployment.apps/fairlead-operator created" in told.out
    assert f"Fairlead is ready in namespace {PLACE}" in told.err

    assert run(["install", *kubeconfig]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if not line.endswith(" unchanged")] == []

    assert run(["uninstall", *kubeconfig]) == 0
    told = capsys.readouterr()
    assert "deployment.apps/fairlead-operator deleted" in told.out
    assert "customresourcedefinition" not in told.out
    assert "models run on" in told.err


@pytest.mark.slow
def test_users_resources_are_not_deleted_without_a_second_thought(
    apart: Apart, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kubeconfig = apart.options(tmp_path)
    values = tmp_path / "values.yaml"
    values.write_text("webhook: {enabled: false}\n")
    assert run(["install", "--values", str(values), *kubeconfig]) == 0
    graph = {"name": "m", "implementation": "SIMPLE_MODEL"}
    apart.create(
        {
            "apiVersion": "machinelearning.seldon.io/v1",
            "kind": "SeldonDeployment",
            "metadata": {"name": "iris", "namespace": "default"},
            "spec": {"predictors": [{"name": "default", "graph": graph}]},
        }
    )
    capsys.readouterr()

    assert run(["uninstall", "--values", str(values), "--with-crds", *kubeconfig]) == 1
    told = capsys.readouterr()
    assert "--with-crds deletes 1 SeldonDeployment with all that runs" in told.err
    assert told.out == ""

    assert run(["uninstall", "--values", str(values), "--with-crds", "--yes", *kubeconfig]) == 0
    assert "customresourcedefinition.apiextensions.k8s.io/seldondeployments" in capsys.readouterr().out


@pytest.mark.slow
def test_an_operator_of_upstreams_is_not_fought_with(
    apart: Apart, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "manager", "image": "x"}]}}
    apart.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "seldon-controller-manager", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": pod},
        }
    )
    kubeconfig = apart.options(tmp_path)

    assert run(["install", *kubeconfig]) == 1
    assert "kubectl scale deployment seldon-controller-manager -n default --replicas=0" in capsys.readouterr().err

    assert run(["install", "--take-over", *kubeconfig]) == 0
    assert "deployment.apps/seldon-controller-manager in default scaled to 0" in capsys.readouterr().out
