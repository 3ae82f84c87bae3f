"""Workloads that stay as they are: of a resource that is not to follow a change of something that it refers to."""

from typing import Any

from fairlead.backends.kubernetes.operator.changes import changes
from fairlead.backends.kubernetes.operator.comparing import marked
from fairlead.backends.kubernetes.operator.resources import key_of

Document = dict[str, Any]


def _deployment(image: str) -> Document:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "iris", "namespace": "models"},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "main", "image": image}]}}},
    }


def _config(text: str) -> Document:
    metadata = {"name": "iris", "namespace": "models"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": text}}


def _there(wanted: Document, *, replicas: int = 1) -> Document:
    done = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas)
    made = marked(wanted)
    metadata = {**made["metadata"], "generation": 1}
    return {**made, "metadata": metadata, "status": {"observedGeneration": 1, **done}}


def test_a_frozen_workload_is_neither_written_nor_deleted_and_everything_else_is() -> None:
    old, new = _deployment("one"), _deployment("two")

    todo = changes([new, _config("b")], [], {key_of(old): _there(old)}, frozen={key_of(old)})

    assert [one["kind"] for one in todo.write] == ["ConfigMap"]
    assert (todo.first, todo.last) == ((), ())
    assert todo.is_ready


def test_a_frozen_workload_that_is_down_is_waited_for() -> None:
    old = _deployment("one")

    todo = changes([_deployment("two")], [], {key_of(old): _there(old, replicas=0)}, frozen={key_of(old)})

    assert not todo.is_ready
    assert todo.write == ()
