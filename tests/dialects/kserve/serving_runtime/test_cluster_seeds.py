"""The runtimes of an installation in a cluster."""

from typing import Any

import pytest

from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve.serving_runtime.builtin import built_in_runtimes
from fairlead.dialects.kserve.serving_runtime.cluster_seeds import cluster_runtimes
from fairlead.pods.model_server import formats

SETTINGS = ClusterSettings(image="fairlead:2", runtime_images={"sklearn": "fairlead-small:2"})


def _container(name: str, **values: Any) -> dict[str, Any]:
    settings = ClusterSettings(image="fairlead:2", values={"kserve": {"servingruntime": values}})
    found = next(one for one in cluster_runtimes(settings) if one["metadata"]["name"] == name)
    container: dict[str, Any] = found["spec"]["containers"][0]
    return container


def test_services_find_the_runtimes_of_kserve() -> None:
    def told(runtime: Any) -> Any:
        spec = runtime["spec"]
        return runtime["metadata"], spec["supportedModelFormats"], spec.get("protocolVersions")

    assert [told(one) for one in cluster_runtimes(SETTINGS)] == [told(one) for one in built_in_runtimes()]


def test_our_servers_are_told_formats_that_they_have() -> None:
    ours = [one["spec"]["containers"][0] for one in cluster_runtimes(SETTINGS)]
    commands = [one["command"] for one in ours if one["image"].startswith("fairlead")]

    assert len(commands) == 10
    assert {command[-1].removeprefix("--format=") for command in commands} <= set(formats())
    assert all(command[:2] == ["fairlead", "model-server"] for command in commands)


def test_an_image_of_ours_for_one_format_is_used_for_it() -> None:
    images = {one["metadata"]["name"]: one["spec"]["containers"][0]["image"] for one in cluster_runtimes(SETTINGS)}

    assert images["kserve-sklearnserver"] == "fairlead-small:2"
    assert images["kserve-xgbserver"] == "fairlead:2"
    assert images["kserve-pmmlserver"] == "kserve/pmmlserver:latest"


@pytest.mark.parametrize("name", ["kserve-torchserve", "kserve-tritonserver", "kserve-vllmserver"])
def test_flags_of_another_server_stay_without_its_program(name: str) -> None:
    assert all(word.startswith("--") for word in _container(name)["args"])
    assert "--start" not in _container(name)["args"]


def test_an_image_of_the_chart_brings_its_own_server_back() -> None:
    container = _container("kserve-tritonserver", tritonserver={"image": "nvcr.io/tritonserver", "tag": "24.08"})

    assert container["image"] == "nvcr.io/tritonserver:24.08"
    assert container["args"][0] == "tritonserver"
    assert "command" not in container


def test_a_runtime_can_be_disabled_and_pulled_with_a_secret() -> None:
    values = {"sklearnserver": {"disabled": True, "imagePullSecrets": [{"name": "hub"}]}}
    settings = ClusterSettings(values={"kserve": {"servingruntime": values}})

    spec = next(iter(cluster_runtimes(settings)))["spec"]

    assert spec["disabled"] is True
    assert spec["imagePullSecrets"] == [{"name": "hub"}]


def test_nodes_of_one_server_are_started_together() -> None:
    runtime = next(one for one in cluster_runtimes(SETTINGS) if one["metadata"]["name"].endswith("-multinode"))

    (head,), (worker,) = runtime["spec"]["containers"], runtime["spec"]["workerSpec"]["containers"]
    assert "ray start --head" in head["args"][0]
    assert head["args"][1:] == ["--model_name={{.Name}}"]
    assert '--address="$HEAD_SVC:6379"' in worker["args"][0]
    assert worker["image"] == head["image"]
