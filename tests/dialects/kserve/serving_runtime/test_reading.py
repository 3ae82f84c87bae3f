from collections.abc import Sequence
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.serving_runtime.reading import runtimes_for


class World:
    """Holds one ClusterServingRuntime."""

    def __init__(self) -> None:
        self.runtime: dict[str, Any] = {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ClusterServingRuntime",
            "metadata": {"name": "one", "uid": "u-reading", "resourceVersion": "1"},
            "spec": {"containers": [{"name": "kserve-container", "image": "a"}]},
        }

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        return None

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        return [self.runtime] if kind == self.runtime["kind"] else []

    def plan(self, kind: str, namespace: str, name: str) -> None:
        return None

    def observed(self, kind: str, namespace: str, name: str) -> None:
        return None

    def write(self, image: str, version: str) -> None:
        self.runtime["spec"] = {"containers": [{"name": "kserve-container", "image": image}]}
        self.runtime["metadata"] = {**self.runtime["metadata"], "resourceVersion": version}


def test_a_runtime_is_read_once_for_each_of_its_versions() -> None:
    world = World()
    first = runtimes_for("default", world).cluster
    assert runtimes_for("default", world).cluster[0] is first[0]

    world.write("b", "2")
    changed = runtimes_for("default", world).cluster
    assert [one.spec.containers[0].image for one in (*first, *changed)] == ["a", "b"]


def test_a_runtime_that_was_never_stored_is_read_each_time() -> None:
    world = World()
    world.runtime["metadata"] = {"name": "one"}
    first = runtimes_for("default", world).cluster
    world.runtime["spec"] = {"containers": [{"name": "kserve-container", "image": "b"}]}

    assert [one.spec.containers[0].image for one in (*first, *runtimes_for("default", world).cluster)] == ["a", "b"]
