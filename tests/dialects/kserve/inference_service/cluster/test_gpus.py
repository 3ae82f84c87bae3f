"""How GPUs are shared out among the nodes of a predictor."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.dialects.kserve.inference_service.cluster.gpus import (
    InvalidGpuAllocation,
    Nodes,
    known_resources,
    nodes_of,
    with_gpus,
)

KNOWN = known_resources({}, ())
COUNTS = st.integers(1, 16)


def _container(count: int, name: str = "nvidia.com/gpu") -> dict[str, Any]:
    return {"resources": {"limits": {name: str(count)}}} if count else {}


def _nodes(pipeline: int, tensor: int, *, head: int = 0, worker: int = 0, is_mp: bool = False) -> Nodes:
    return nodes_of(
        pipeline=pipeline,
        tensor=tensor,
        head=_container(head),
        worker=_container(worker),
        is_mp=is_mp,
        known=KNOWN,
    )


@pytest.mark.parametrize(
    ("sizes", "given_gpus", "expected"),
    [
        ((2, 1), {}, (2, 1, 1)),
        ((2, 4), {}, (8, 1, 1)),
        ((2, 4), {"worker": 4}, (2, 4, 4)),
        ((1, 5), {"worker": 2}, (3, 1, 2)),
        ((3, 1), {"head": 1}, (3, 1, 1)),
        ((2, 2), {"head": 2, "worker": 2}, (2, 2, 2)),
        ((3, 8), {"is_mp": True}, (3, 8, 8)),
    ],
)
def test_workers_have_their_own_and_the_head_the_rest(
    sizes: tuple[int, int], given_gpus: Any, expected: tuple[int, int, int]
) -> None:
    nodes = _nodes(*sizes, **given_gpus)

    assert (nodes.count, nodes.head_gpus, nodes.worker_gpus) == expected


@given(COUNTS, COUNTS, st.integers(0, 8))
def test_all_gpus_are_shared_out_and_every_node_has_one(pipeline: int, tensor: int, worker: int) -> None:
    nodes = _nodes(pipeline, tensor, worker=worker)

    assert nodes.head_gpus + nodes.worker_gpus * (nodes.count - 1) == pipeline * tensor
    assert 1 <= nodes.head_gpus <= max(nodes.worker_gpus, pipeline * tensor)


def test_fewer_gpus_than_the_nodes_have_are_refused_as_kserve_does() -> None:
    with pytest.raises(InvalidGpuAllocation) as caught:
        _nodes(1, 2, head=2, worker=1)

    assert str(caught.value) == (
        "the total required number of GPUs(2) is less than the number of GPUs assigned to the head node(2) + "
        "worker node(1)"
    )
    assert caught.value.failure == "InvalidGPUAllocation"


def test_other_devices_are_known_by_annotation_or_setting() -> None:
    annotated = known_resources({"serving.kserve.io/gpu-resource-types": '["example.com/npu"]'}, ["example.com/tpu"])
    nodes = nodes_of(
        pipeline=2, tensor=2, head={}, worker=_container(2, "example.com/npu"), is_mp=False, known=annotated
    )

    assert (nodes.resource, nodes.worker_gpus) == ("example.com/npu", 2)
    assert {"example.com/npu", "example.com/tpu"} <= set(annotated)
    assert known_resources({"serving.kserve.io/gpu-resource-types": "no list"}, ()) == KNOWN


def test_other_resources_of_a_container_stay() -> None:
    written = with_gpus({"resources": {"limits": {"cpu": "1"}, "claims": []}}, "nvidia.com/gpu", 2)

    assert written["resources"] == {
        "limits": {"cpu": "1", "nvidia.com/gpu": "2"},
        "requests": {"nvidia.com/gpu": "2"},
        "claims": [],
    }
