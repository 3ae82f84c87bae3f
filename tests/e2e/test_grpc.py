"""gRPC through a real installation: its ports, its gateway, its workers."""

import json
import os
import queue
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from fairlead.protocols.protos import message
from support.grpc_channels import channel_to
from support.instance import Installation, until
from support.manifests import sdep, sklearn

pytestmark = pytest.mark.slow

PREDICT = "/seldon.protos.Seldon/Predict"
INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM_INFER = "/inference.GRPCInferenceService/ModelStreamInfer"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
ROW = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture(scope="module")
def served(shared: Installation, iris: Path) -> Iterator[Installation]:
    """`iris-grpc` in Seldon's protocol, and `iris-oip` with a model `two` in the open one."""
    shared.apply(sdep("iris-grpc", sklearn(iris)))
    second = sklearn(iris)
    second["graph"]["name"] = "two"
    shared.apply(sdep("iris-oip", second, protocol="v2"))
    for name in ("iris-grpc", "iris-oip"):
        shared.wait_for(name)
    yield shared
    for name in ("iris-grpc", "iris-oip"):
        shared.delete(name)


def ports(running: Installation) -> dict[str, int]:
    found = json.loads((running.home / "instance.json").read_text())
    return {"http": found["port"], "grpc": found["grpcPort"]}


@pytest.fixture(params=["http", "grpc"])
def channel(served: Installation, request: pytest.FixtureRequest) -> Iterator[Any]:
    with channel_to(ports(served)[request.param]) as made:
        yield made


def infer_request(model: str) -> bytes:
    asked = message("inference.ModelInferRequest")(model_name=model)
    tensor = asked.inputs.add(name="predict", datatype="FP64", shape=[1, 4])
    tensor.contents.fp64_contents.extend(ROW)
    encoded: bytes = asked.SerializeToString()
    return encoded


def test_metadata_leads_to_a_deployment(channel: Any) -> None:
    asked = message("seldon.protos.SeldonMessage")()
    asked.data.tensor.shape.extend([1, 4])
    asked.data.tensor.values.extend(ROW)
    metadata = (("seldon", "iris-grpc"), ("namespace", "default"))
    raw = channel.unary_unary(PREDICT)(asked.SerializeToString(), metadata=metadata, timeout=20)
    answer = message("seldon.protos.SeldonMessage").FromString(raw)

    assert list(answer.data.tensor.shape) == [1, 3]
    assert sum(answer.data.tensor.values) == pytest.approx(1.0)


def test_the_name_of_a_model_leads_to_its_deployment(channel: Any) -> None:
    raw = channel.unary_unary(INFER)(infer_request("two"), timeout=20)
    answer = message("inference.ModelInferResponse").FromString(raw)

    assert answer.model_name == "two"
    assert len(answer.outputs) >= 1
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(INFER)(infer_request("nobody"), timeout=20)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_streams_from_the_worker_that_metadata_name(channel: Any) -> None:
    asked = message("grpc.reflection.v1alpha.ServerReflectionRequest")(list_services="")
    metadata = (("seldon", "iris-oip"), ("namespace", "default"))
    answers = list(channel.stream_stream(REFLECTION)(iter([asked.SerializeToString()]), metadata=metadata, timeout=20))
    listed = message("grpc.reflection.v1alpha.ServerReflectionResponse").FromString(answers[0])

    assert "inference.GRPCInferenceService" in [one.name for one in listed.list_services_response.service]


def test_a_stream_whose_worker_is_killed_ends_unavailable_and_the_next_is_served(served: Installation) -> None:
    requests: queue.Queue[bytes | None] = queue.Queue()
    with channel_to(ports(served)["grpc"]) as channel:
        answers = channel.stream_stream(STREAM_INFER)(iter(requests.get, None), timeout=60)
        requests.put(infer_request("two"))
        first = message("inference.ModelStreamInferResponse").FromString(next(answers))
        (pid,) = served.worker_pids("iris-oip")
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(grpc.RpcError) as caught:
            next(answers)
        requests.put(None)
        until(lambda: served.worker_pids("iris-oip") not in ([], [pid]), what="the next worker")
        again = channel.unary_unary(INFER)(infer_request("two"), timeout=60)

    assert first.infer_response.model_name == "two"
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert message("inference.ModelInferResponse").FromString(again).model_name == "two"
