"""Reflection, as a client without schemas uses it: list, fetch, build, call."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from fairlead.plan.model import Protocol
from support.grpc_calls import Caller, Failed, calling
from support.serving import Fake, Times, call, unit, worker_spec

pytestmark = pytest.mark.anyio
VERSIONS = ["v1", "v1alpha"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def reflect(ask: Caller, version: str, *fields: Any) -> list[Any]:
    package = f"grpc.reflection.{version}"
    return await ask.stream(
        f"/{package}.ServerReflection/ServerReflectionInfo",
        f"{package}.ServerReflectionRequest",
        f"{package}.ServerReflectionResponse",
        *fields,
    )


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_without_schemas_finds_a_method_and_calls_it(version: str) -> None:
    worker = worker_spec([unit("m")], call("m"), protocol=Protocol.V2)
    async with calling(worker, m=Fake("m", rows=Times())) as ask:
        [listed] = await reflect(ask, version, {"list_services": "*"})
        services = [one.name for one in listed.list_services_response.service]
        [found] = await reflect(ask, version, {"host": "h", "file_containing_symbol": "inference.GRPCInferenceService"})
        pool = _pool(found)
        service = pool.FindServiceByName("inference.GRPCInferenceService")
        method = service.FindMethodByName("ModelInfer")
        asked = message_factory.GetMessageClass(method.input_type)(model_name="m")
        asked.inputs.add(name="x", datatype="FP64", shape=[1, 1]).contents.fp64_contents.append(4)
        answer = await ask(
            f"/{service.full_name}/{method.name}", "", "inference.ModelInferResponse", asked.SerializeToString()
        )

    assert "inference.GRPCInferenceService" in services
    assert "grpc.health.v1.Health" in services
    assert f"grpc.reflection.{version}.ServerReflection" in services
    assert "seldon.protos.Seldon" not in services
    assert (found.valid_host, found.original_request.file_containing_symbol) == ("h", "inference.GRPCInferenceService")
    assert list(answer.outputs[0].contents.fp64_contents) == [8]


@pytest.mark.parametrize("version", VERSIONS)
async def test_files_come_with_what_they_import_and_questions_in_order(version: str) -> None:
    async with calling(worker_spec([unit("m")], call("m")), m=Fake("m")) as ask:
        by_symbol, by_name = await reflect(
            ask,
            version,
            {"file_containing_symbol": "seldon.protos.Seldon.Predict"},
            {"file_by_filename": "seldon/prediction.proto"},
        )

    assert by_symbol.file_descriptor_response == by_name.file_descriptor_response
    assert _pool(by_symbol).FindMessageTypeByName("tensorflow.TensorProto") is not None


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"file_containing_symbol": "no.such.Thing"}, 5, "there is no symbol 'no.such.Thing'"),
        ({"file_containing_symbol": "seldon.protos.Seldon.Nope"}, 5, "there is no symbol"),
        ({"file_containing_symbol": "Nope"}, 5, "there is no symbol"),
        ({"file_by_filename": "../etc/passwd"}, 5, "there is no file '../etc/passwd'"),
        ({"file_containing_extension": {"containing_type": "x", "extension_number": 1}}, 5, "no extensions"),
        ({"all_extension_numbers_of_type": "no.Message"}, 5, "there is no message 'no.Message'"),
        ({}, 3, "asks nothing"),
    ],
)
async def test_what_is_not_there_is_an_error_in_the_stream(fields: Any, code: int, words: str) -> None:
    async with calling(worker_spec([unit("m")], call("m")), m=Fake("m")) as ask:
        answer, after = await reflect(ask, "v1", fields, {"list_services": ""})

    assert answer.error_response.error_code == code
    assert words in answer.error_response.error_message
    assert after.list_services_response.service


async def test_a_message_has_no_extensions() -> None:
    async with calling(worker_spec([unit("m")], call("m")), m=Fake("m")) as ask:
        [answer] = await reflect(ask, "v1", {"all_extension_numbers_of_type": "seldon.protos.Meta"})

    assert answer.all_extension_numbers_response.base_type_name == "seldon.protos.Meta"
    assert not answer.all_extension_numbers_response.extension_number


async def test_a_question_that_is_no_message_ends_the_call() -> None:
    async with calling(worker_spec([unit("m")], call("m")), m=Fake("m")) as ask:
        with pytest.raises(Failed, match="INVALID_ARGUMENT"):
            await reflect(ask, "v1", b"\xff\xff")


def _pool(answer: Any) -> Any:
    pool = descriptor_pool.DescriptorPool()
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(one)
        for one in answer.file_descriptor_response.file_descriptor_proto
    ]
    for file in reversed(files):
        pool.AddSerializedFile(file.SerializeToString())
    return pool
