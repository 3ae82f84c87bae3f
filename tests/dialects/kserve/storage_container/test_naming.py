from typing import Any

import pytest

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.kserve.storage_container.naming import check_container
from fairlead.errors import InvalidManifest
from support.stored_docs import DocumentWorld

DIALECT = KServeDialect()


def container(name: str = "mine", **fields: Any) -> dict[str, Any]:
    spec = {
        "container": {"name": "c", "image": "i"},
        "supportedUriFormats": [{"prefix": "s3://"}],
        "workloadType": "initContainer",
    }
    disabled = {"disabled": fields.pop("disabled")} if "disabled" in fields else {}
    return {"kind": "ClusterStorageContainer", "metadata": {"name": name}, "spec": {**spec, **fields}, **disabled}


def refused(*stored: dict[str, Any], uri: str = "s3://models/iris") -> str:
    with pytest.raises(InvalidManifest) as caught:
        check_container("mine", (uri,), DocumentWorld(stored))
    return str(caught.value)


def test_a_container_that_would_fetch_the_model_passes() -> None:
    check_container("mine", ("s3://models/iris",), DocumentWorld([container()]))
    by_regex = container(supportedUriFormats=[{"regex": "https://(.+?).example.com/(.+)"}])
    check_container("mine", ("https://a.example.com/iris",), DocumentWorld([by_regex]))


def test_one_that_would_not_says_why_in_the_controllers_words() -> None:
    label = 'ClusterStorageContainer "mine"'

    assert refused() == f"{label} not found"
    assert refused(container(disabled=True)) == f"{label} is disabled"
    assert refused(container(workloadType="localModelDownloadJob")) == (
        f'{label} has workloadType "localModelDownloadJob"; explicit selection requires "initContainer"'
    )
    assert refused(container(), uri="gs://m/iris") == f'{label} does not support storageUri "gs://m/iris"'


def test_a_service_that_names_one_is_held_to_it() -> None:
    doc = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {
            "predictor": {
                "storageContainerName": "default",
                "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://claim/iris"},
            }
        },
    }
    world = DocumentWorld(DIALECT.seeds())

    with pytest.raises(InvalidManifest, match='"default" does not support storageUri "pvc://claim/iris"'):
        DIALECT.lower(doc, catalog=Catalog(), world=world)


@pytest.mark.parametrize("uri", ["gs://a/b", "s3://a/b", "hf://a/b", "https://a.blob.core.windows.net/b", "http://a/b"])
def test_the_container_of_an_installation_fetches_what_kserves_does(uri: str) -> None:
    check_container("default", (uri,), DocumentWorld(DIALECT.seeds()))
