from typing import Any

import pytest

from fairlead.dialects.catalog import Catalog, Entry
from fairlead.errors import InvalidManifest
from fairlead.plan.model import Artifact, Mount, Unit
from support.sdep import MODEL, lower, lower_unit, one, pod, predictor, sdep

SERVER = "seldonio/sklearnserver:1.18.2"
DOWNLOAD = "seldonio/rclone-storage-initializer:1.18.2"


def artifact(unit: Unit) -> Artifact:
    assert unit.artifact is not None
    return unit.artifact


def spelled_out(*, args: list[str], parameter: str | None = "/mnt/models", **init: Any) -> dict[str, Any]:
    graph: dict[str, Any] = {"name": "m", "type": "MODEL"}
    if parameter is not None:
        graph["parameters"] = [{"name": "model_uri", "value": parameter, "type": "STRING"}]
    return one(
        {"name": "m", "image": SERVER, "volumeMounts": [{"name": "v", "mountPath": "/mnt/models"}]},
        graph,
        volumes=[{"name": "v", "emptyDir": {}}],
        initContainers=[
            {
                "name": "get",
                "image": DOWNLOAD,
                "args": args,
                "volumeMounts": [{"name": "v", "mountPath": "/mnt/models"}],
                **init,
            }
        ],
    )


def test_a_model_uri_is_the_artifact() -> None:
    graph = {**MODEL, "envSecretRefName": "rclone", "serviceAccountName": "reader"}

    assert artifact(lower_unit(sdep(predictor(graph=graph)))) == Artifact(
        uri="gs://models/iris", env_secret="rclone", service_account="reader"
    )


def test_a_configured_secret_serves_those_that_name_none() -> None:
    plan = lower(sdep(), Catalog(default_env_secret="everyone"))

    assert artifact(plan.components[0].revision.units[0]).env_secret == "everyone"
    assert plan.secrets == ("everyone",)


def test_a_model_uri_on_a_container_of_ones_own_is_honoured() -> None:
    doc = one({"name": "m", "image": "acme/m:1"}, {"name": "m", "type": "MODEL", "modelUri": "s3://bucket/m"})

    for entries in ({}, {"acme/m": Entry(runtime="python", target="M")}):
        assert artifact(lower_unit(doc, Catalog(entries=entries))).uri == "s3://bucket/m"


def test_a_known_init_container_is_the_download() -> None:
    env = [{"name": "RCLONE_CONFIG_S3_TYPE", "value": "s3"}]
    doc = spelled_out(args=["s3://b/iris", "/mnt/models"], env=env, envFrom=[{"secretRef": {"name": "keys"}}])

    unit = lower_unit(doc)

    assert unit.runtime == "sklearn"
    assert unit.parameters == ()
    found = artifact(unit)
    assert (found.uri, found.mount, found.env_secret) == ("s3://b/iris", "/mnt/models", "keys")
    assert [(item.name, item.value) for item in found.init_env] == [("RCLONE_CONFIG_S3_TYPE", "s3")]


@pytest.mark.parametrize(
    ("parameter", "uri", "mount"),
    [
        ("/mnt/models", "s3://b/all", "/mnt/models"),
        (None, "s3://b/all", "/mnt/models"),
        ("/mnt/models/iris/1", "s3://b/all/iris/1", "/mnt/models/iris/1"),
        ("/elsewhere", "s3://b/all", "/mnt/models"),
    ],
)
def test_a_parameter_below_the_folder_narrows_the_download(parameter: str | None, uri: str, mount: str) -> None:
    found = artifact(lower_unit(spelled_out(args=["s3://b/all/", "/mnt/models"], parameter=parameter)))

    assert (found.uri.rstrip("/"), found.mount) == (uri, mount)


def test_the_reserved_name_takes_the_nodes_uri_when_it_has_no_arguments() -> None:
    init = {"name": "classifier-model-initializer", "image": DOWNLOAD}
    doc = sdep(predictor(componentSpecs=[pod({"name": "classifier"}, initContainers=[init])]))

    assert artifact(lower_unit(doc)) == Artifact(uri="gs://models/iris")


def test_a_download_without_arguments_and_uri_is_refused() -> None:
    with pytest.raises(InvalidManifest, match=r"initContainers\[0\]\.args: a storage initializer takes two arguments"):
        lower(spelled_out(args=["s3://b/iris"]))


def test_two_downloads_for_one_container_are_refused() -> None:
    doc = spelled_out(args=["s3://b/iris", "/mnt/models"])
    inits = doc["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["initContainers"]
    inits.append({**inits[0], "name": "again"})

    with pytest.raises(InvalidManifest, match="2 init containers fetch a model for container m; one is supported"):
        lower(doc)


def test_a_claim_that_an_init_container_copies_from_is_the_source() -> None:
    doc = spelled_out(
        args=["/claims/iris", "/mnt/models"],
        volumeMounts=[
            {"name": "v", "mountPath": "/mnt/models"},
            {"name": "c", "mountPath": "/claims", "subPath": "all"},
        ],
    )
    volumes = doc["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["volumes"]
    volumes.append({"name": "c", "persistentVolumeClaim": {"claimName": "store"}})

    assert artifact(lower_unit(doc)).uri == "pvc://store/all/iris"


@pytest.mark.parametrize("uri", ["gs://seldon-models/iris", "s3://b/m", "/srv/models/iris"])
def test_a_model_uri_parameter_that_is_an_address_is_fetched(uri: str) -> None:
    graph = {"name": "m", "type": "MODEL", "parameters": [{"name": "model_uri", "value": uri, "type": "STRING"}]}

    assert artifact(lower_unit(one({"name": "m", "image": SERVER}, graph))) == Artifact(uri=uri)


def test_a_known_server_without_any_model_is_refused() -> None:
    graph = {"name": "m", "type": "MODEL", "parameters": [{"name": "model_uri", "value": "/mnt/models"}]}

    with pytest.raises(InvalidManifest, match="the node names no model: set modelUri, or an init container"):
        lower(one({"name": "m", "image": SERVER}, graph))


def test_an_init_container_of_another_container_is_not_ours() -> None:
    mounts = [{"name": "v", "mountPath": "/m"}]
    init = {"name": "get", "image": DOWNLOAD, "args": ["s3://b/other", "/m"], "volumeMounts": mounts}
    pods = [
        pod(
            {"name": "classifier"},
            {"name": "other", "image": "acme/other:1", "volumeMounts": mounts},
            volumes=[{"name": "v", "emptyDir": {}}],
            initContainers=[init],
        )
    ]
    graph = {**MODEL, "children": [{"name": "other", "type": "MODEL"}]}

    first, second = lower(sdep(predictor(graph=graph, componentSpecs=pods))).components[0].revision.units

    assert artifact(first).uri == "gs://models/iris"
    assert artifact(second).uri == "s3://b/other"
    assert second.container is not None
    assert second.container.mounts == (Mount(path="/m", source="artifact"),)


def test_an_unknown_init_container_runs_and_takes_its_unit_along() -> None:
    init = {"name": "prepare", "image": "acme/prepare:1", "volumeMounts": [{"name": "v", "mountPath": "/out"}]}
    container = {"name": "m", "image": SERVER, "volumeMounts": [{"name": "v", "mountPath": "/mnt/models"}]}
    doc = one(container, volumes=[{"name": "v", "emptyDir": {}}], initContainers=[init])

    plan = lower(doc)

    unit = plan.components[0].revision.units[0]
    assert (unit.runtime, unit.artifact) == ("container", None)
    assert unit.container is not None
    assert unit.container.mounts == (Mount(path="/mnt/models", source="artifact"),)
    assert [(item.name, item.mounts) for item in unit.container.init] == [
        ("prepare", (Mount(path="/out", source="artifact"),))
    ]
    assert "m runs as a container: init container prepare has to run first" in plan.warnings[0]


def test_an_init_container_without_a_shared_volume_is_a_warning() -> None:
    doc = sdep(
        predictor(componentSpecs=[pod({"name": "classifier"}, initContainers=[{"name": "x", "image": "acme/x"}])])
    )

    plan = lower(doc)

    assert plan.components[0].revision.units[0].runtime == "sklearn"
    assert plan.warnings == (
        "spec.predictors[0].componentSpecs[0].spec.initContainers[0]: x is not run: "
        "it shares no volume with a container of the graph",
    )
