"""Local model caches in a cluster."""

from typing import Any

from fairlead.plan.layout import Layout
from support.kserve_cluster import Cluster, condition, settings_map


def _cache(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "LocalModelCache",
        "metadata": {"name": "iris"},
        "spec": {"sourceModelUri": "gs://models/iris", "modelSize": "1Gi", "nodeGroups": ["disks"]},
        "status": status,
    }


def test_nothing_is_made_and_the_status_says_so() -> None:
    layout, status = Cluster().layout(_cache()), Cluster().status(_cache())

    assert layout == Layout(owner=layout.owner)
    assert condition(status, "Ready")["reason"] == "CachesNotDone"
    assert "pvc://" in condition(status, "Ready")["message"]


def test_with_caches_switched_on_it_says_who_is_waited_for() -> None:
    status = Cluster(stored=(settings_map(localModel='{"enabled": true}'),)).status(_cache())

    assert "KServe's local model controller" in condition(status, "Ready")["message"]


def test_what_others_tell_of_a_cache_is_left_alone() -> None:
    told = {"nodeStatus": {"one": "NodeDownloaded"}, "copies": {"available": 1, "total": 1}}

    assert Cluster().status(_cache(**told)) == told
