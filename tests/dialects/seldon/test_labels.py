from fairlead.dialects.catalog import Catalog
from fairlead.dialects.seldon import SeldonDialect


def test_replicas_carry_the_labels_that_a_clusters_pods_have() -> None:
    manifest = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "iris-model", "namespace": "seldon"},
        "spec": {
            "predictors": [
                {
                    "name": "default",
                    "graph": {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://m/iris"},
                }
            ]
        },
    }

    (component,) = SeldonDialect().lower(manifest, catalog=Catalog()).components

    assert dict(component.labels) == {
        "app": "iris-model-default-0-classifier",
        "app.kubernetes.io/managed-by": "seldon-core",
        "fluentd": "true",
        "seldon-app": "iris-model-default",
        "seldon-app-svc-classifier": "iris-model-default-classifier",
        "seldon-deployment-id": "iris-model",
        "seldon.io/model": "true",
        "version": "default",
    }
