"""The init container that fetches models."""

from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import ClusterSettings
from support.isvc import isvc, model
from support.kserve_cluster import settings_map
from support.kserve_pods import composed, containers

NAME = "storage-initializer"


def _fetching(doc: Document, *stored: Document, settings: ClusterSettings | None = None) -> dict[str, Any]:
    pod, _ = composed(doc, *stored, settings=settings)
    return containers(pod)[NAME]


def _storage_container(name: str, prefix: str, **fields: Any) -> Document:
    spec = {"container": {"name": NAME, **fields.pop("container", {})}, "supportedUriFormats": [{"prefix": prefix}]}
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterStorageContainer",
        "metadata": {"name": name},
        "spec": {**spec, **fields.pop("spec", {})},
        **fields,
    }


def _authorities(namespace: str, **data: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "authorities", "namespace": namespace},
        "data": data,
    }


BUNDLED = settings_map(storageInitializer='{"caBundleConfigMapName": "authorities"}')


def test_our_image_is_told_what_it_is_for_and_another_one_knows() -> None:
    theirs = settings_map(storageInitializer='{"image": "kserve/storage-initializer:v1"}')

    assert _fetching(isvc(model()))["command"] == ["fairlead", NAME]
    assert "command" not in _fetching(isvc(model()), theirs)
    assert _fetching(isvc(model()), theirs)["args"] == ["gs://models/iris", "/mnt/models"]


def test_the_first_storage_container_that_takes_the_address_is_merged_over_it() -> None:
    stored = (
        _storage_container("a-disabled", "gs://", disabled=True, container={"image": "no:1"}),
        _storage_container(
            "b-job", "gs://", spec={"workloadType": "localModelDownloadJob"}, container={"image": "no:1"}
        ),
        _storage_container("c-other", "s3://", container={"image": "no:1"}),
        _storage_container("d-first", "gs://", container={"image": "yes:1", "env": [{"name": "A", "value": "1"}]}),
        _storage_container("e-second", "gs://", container={"image": "no:1"}),
    )

    found = _fetching(isvc(model()), *stored)

    assert found["image"] == "yes:1"
    assert {"name": "A", "value": "1"} in found["env"]
    assert found["args"] == ["gs://models/iris", "/mnt/models"]
    assert found["volumeMounts"] == [{"name": "kserve-provision-location", "mountPath": "/mnt/models"}]


def test_a_storage_container_can_be_named() -> None:
    stored = (
        _storage_container("a", "gs://", container={"image": "no:1"}),
        _storage_container("b", "gs://", container={"image": "yes:1"}),
    )

    assert _fetching(isvc({**model(), "storageContainerName": "b"}), *stored)["image"] == "yes:1"


def test_a_variable_for_the_hub_that_is_set_is_left_alone() -> None:
    stored = _storage_container("a", "gs://", container={"env": [{"name": "HF_XET_HIGH_PERFORMANCE", "value": "0"}]})

    env = [one for one in _fetching(isvc(model()), stored)["env"] if one["name"] == "HF_XET_HIGH_PERFORMANCE"]

    assert env == [{"name": "HF_XET_HIGH_PERFORMANCE", "value": "0"}]


def test_it_runs_as_the_server_does_without_the_servers_rights() -> None:
    rights = {"runAsUser": 7, "privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}}
    doc = isvc(model(securityContext=rights))

    assert _fetching(doc)["securityContext"]["runAsUser"] == 7
    assert not {"privileged", "capabilities"} & set(_fetching(doc)["securityContext"])


def test_a_mesh_can_have_another_user() -> None:
    doc = isvc(model(), annotations={"serving.kserve.io/storage-initializer-uid": "1337"})

    assert _fetching(doc)["securityContext"]["runAsUser"] == 1337


def test_the_installations_authorities_are_copied_beside_the_service() -> None:
    pod, _ = composed(isvc(model()), BUNDLED, _authorities("fairlead-system", **{"cabundle.crt": "PEM"}))

    (copy,) = pod.configs
    assert (copy["metadata"]["name"], copy["data"]) == ("iris-global-ca-bundle", {"cabundle.crt": "PEM"})
    assert {"name": "CA_BUNDLE_CONFIGMAP_NAME", "value": "iris-global-ca-bundle"} in containers(pod)[NAME]["env"]
    assert {"name": "cabundle-cert", "configMap": {"name": "iris-global-ca-bundle"}} in pod.pod.spec["volumes"]


def test_authorities_that_are_nowhere_are_told_and_keep_no_pod_from_starting() -> None:
    pod, warnings = composed(isvc(model()), BUNDLED)

    assert not pod.configs
    assert "no ConfigMap authorities with cabundle.crt in fairlead-system or kserve" in warnings[0]
    assert all(one["name"] != "cabundle-cert" for one in pod.pod.spec["volumes"])


def test_an_init_container_of_that_name_is_the_users() -> None:
    doc = isvc({**model(), "initContainers": [{"name": NAME, "image": "mine:1"}]})

    pod, _ = composed(doc)

    assert [one["image"] for one in pod.pod.spec["initContainers"]] == ["mine:1"]
