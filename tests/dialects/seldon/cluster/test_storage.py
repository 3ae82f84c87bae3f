"""Init containers that fetch models, and the credentials they get."""

from typing import Any

import pytest

from fairlead.dialects.clusters import ClusterSettings
from fairlead.errors import InvalidManifest
from support.sdep import MODEL, one, pod, predictor, sdep
from support.seldon_layouts import container, laid_out, lay_out, variables, workload

INIT = "classifier-model-initializer"


def fetching(uri: str = "s3://models/iris", **fields: Any) -> dict[str, Any]:
    return sdep(predictor(graph={**MODEL, "modelUri": uri, **fields}))


def account(*secrets: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "reader", "namespace": "seldon"},
        "secrets": [{"name": name} for name in secrets],
    }


def secret(name: str, *keys: str, **annotations: str) -> dict[str, Any]:
    noted = {f"machinelearning.seldon.io/s3-{key}": value for key, value in annotations.items()}
    metadata = {"name": name, "namespace": "seldon", "annotations": noted}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": dict.fromkeys(keys, "")}


def test_ours_fetches_into_a_volume_that_the_server_reads() -> None:
    layout = lay_out(fetching())

    init = container(layout, INIT)
    assert init["image"] == "fairlead/fairlead:latest"
    assert init["args"] == ["storage-initializer", "s3://models/iris", "/mnt/models"]
    assert init["volumeMounts"] == [{"name": "classifier-provision-location", "mountPath": "/mnt/models"}]
    assert init["resources"] == {
        "requests": {"cpu": "100m", "memory": "100Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    mount = {"name": "classifier-provision-location", "mountPath": "/mnt/models", "readOnly": True}
    assert mount in container(layout, "classifier")["volumeMounts"]


@pytest.mark.parametrize(
    ("image", "values"),
    [
        (
            "acme/node:1",
            {"storageInitializer": {"image": "acme/table:1"}, "relatedImages": {"STORAGE_INITIALIZER": "r"}},
        ),
        ("acme/related:1", {"relatedImages": {"RELATED_IMAGE_STORAGE_INITIALIZER": "acme/related:1"}}),
        ("acme/table:1", {"storageInitializer": {"image": "acme/table:1"}}),
    ],
)
def test_an_image_that_is_not_ours_gets_the_two_arguments_alone(image: str, values: dict[str, Any]) -> None:
    doc = fetching(storageInitializerImage="acme/node:1") if "node" in image else fetching()

    layout = lay_out(doc, **values)

    assert container(layout, INIT)["image"] == image
    assert container(layout, INIT)["args"] == ["s3://models/iris", "/mnt/models"]
    assert INIT not in workload(layout).pod.own


@pytest.mark.parametrize(
    ("fields", "values", "name"),
    [
        ({"envSecretRefName": "mine"}, {"predictiveUnit": {"defaultEnvSecretRefName": "all"}}, "mine"),
        ({}, {"predictiveUnit": {"defaultEnvSecretRefName": "all"}}, "all"),
    ],
)
def test_a_secrets_variables_are_its_environment(fields: dict[str, Any], values: dict[str, Any], name: str) -> None:
    assert container(lay_out(fetching(**fields), **values), INIT)["envFrom"] == [{"secretRef": {"name": name}}]


def test_a_users_own_download_is_used_as_it_is() -> None:
    init = {"name": INIT, "image": "acme/fetch:1", "args": ["x"]}
    doc = sdep(predictor(componentSpecs=[pod({"name": "classifier"}, initContainers=[init])]))

    layout = lay_out(doc)

    found = container(layout, INIT)
    assert {key: found[key] for key in init} == init
    assert found["volumeMounts"] == [{"name": "classifier-provision-location", "mountPath": "/mnt/models"}]
    assert len(workload(layout).pod.spec["initContainers"]) == 1


def test_a_volume_that_a_user_mounted_for_the_model_is_taken() -> None:
    mounts = [{"name": "mine", "mountPath": "/mnt/models/"}]
    volumes = [{"name": "mine", "emptyDir": {"medium": "Memory"}}]
    written = {"name": "classifier", "image": "acme/own:1", "volumeMounts": mounts}

    layout = lay_out(sdep(predictor(componentSpecs=[pod(written, volumes=volumes)])))

    assert container(layout, INIT)["volumeMounts"] == [{"name": "mine", "mountPath": "/mnt/models"}]


def test_a_claim_is_mounted_for_both() -> None:
    layout = lay_out(fetching("pvc://models/iris/1"))

    mount = {"name": "kfserving-pvc-source", "mountPath": "/mnt/pvc", "readOnly": True}
    assert container(layout, INIT)["args"][1:] == ["/mnt/pvc/iris/1", "/mnt/models"]
    assert mount in container(layout, INIT)["volumeMounts"]
    assert mount in container(layout, "classifier")["volumeMounts"]


def test_any_container_of_the_graph_can_have_a_model() -> None:
    doc = one({"name": "model", "image": "acme/model:1"}, {"name": "model", "type": "MODEL", "modelUri": "gs://m"})

    layout = lay_out(doc)

    assert container(layout, "model-model-initializer")["args"][1] == "gs://m"
    assert variables(container(layout, "model"))["MLSERVER_MODEL_URI"] == "/mnt/models"


def test_a_resource_that_is_none_is_refused_with_the_value_that_says_it() -> None:
    with pytest.raises(
        InvalidManifest, match=r"storageInitializer.cpuLimit of the installation: 'lots' is not a quantity"
    ):
        lay_out(fetching(), storageInitializer={"cpuLimit": "lots"})


def test_keys_of_a_service_accounts_secrets_are_referred_to_and_never_read() -> None:
    keys = secret("minio", "awsAccessKeyID", "awsSecretAccessKey", endpoint="minio:9000", usehttps="0", region="eu")

    layout = lay_out(fetching(serviceAccountName="reader"), [account("minio"), keys])

    init = container(layout, INIT)
    references = {item["name"]: item["valueFrom"]["secretKeyRef"] for item in init["env"] if "valueFrom" in item}
    assert references == {
        "AWS_ACCESS_KEY_ID": {"name": "minio", "key": "awsAccessKeyID"},
        "AWS_SECRET_ACCESS_KEY": {"name": "minio", "key": "awsSecretAccessKey"},
    }
    assert variables(init) == {
        "S3_USE_HTTPS": "0",
        "S3_ENDPOINT": "minio:9000",
        "AWS_ENDPOINT_URL": "http://minio:9000",
        "AWS_REGION": "eu",
    }
    assert workload(layout).pod.spec["serviceAccountName"] == "reader"
    assert layout.mentions == (("ServiceAccount", "reader"), ("Secret", "minio"))


def test_names_of_keys_are_the_installations() -> None:
    table = {"gcs": {"gcsCredentialFileName": "key.json"}}

    layout = lay_out(
        fetching(serviceAccountName="reader"), [account("gcs"), secret("gcs", "key.json")], credentials=table
    )

    init = container(layout, INIT)
    assert variables(init)["GOOGLE_APPLICATION_CREDENTIALS"] == "/var/secrets/key.json"
    assert {"name": "user-gcp-sa", "secret": {"secretName": "gcs"}} in workload(layout).pod.spec["volumes"]


def test_an_account_that_is_not_there_stops_nothing() -> None:
    layout = lay_out(fetching(serviceAccountName="reader"))

    assert layout.warnings == ("ServiceAccount reader is not in namespace seldon; its Secrets are not used",)
    assert "env" not in container(layout, INIT)


def test_the_init_container_has_our_image_whatever_the_runtimes_is() -> None:
    settings = ClusterSettings(image="own:1", runtime_images={"sklearn": "own-sklearn:1"})

    layout = laid_out(fetching(), settings)

    assert container(layout, INIT)["image"] == "own:1"
    assert container(layout, "classifier")["image"] == "own-sklearn:1"
