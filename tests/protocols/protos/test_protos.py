"""The descriptors that are checked in, and that they bother nobody else's."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from fairlead.errors import BadRequest
from fairlead.protocols import protos
from support.peers import environment

ROOT = Path(__file__).parents[3]

# What a tensorflow package does when it is imported: its names go to the pool that everybody shares.
_CLASH = """
from google.protobuf import descriptor_pb2, descriptor_pool
for package, name in (("tensorflow", "TensorProto"), ("inference", "ModelInferRequest"), ("seldon.protos", "Meta")):
    file = descriptor_pb2.FileDescriptorProto(name="tensorflow/tensor.proto", package=package, syntax="proto3")
    file.name = package + "/clash.proto"
    file.message_type.add(name=name).field.add(name="other", number=1, type=9, label=1)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
from fairlead.protocols import protos
print(protos.message("tensorflow.TensorProto")(float_val=[1.0]).float_val[0])
print(protos.message("inference.ModelInferRequest")(model_name="m").model_name)
"""

_DUMP = """
import importlib, sys
from google.protobuf import descriptor_pb2
files = descriptor_pb2.FileDescriptorSet()
for name in sys.argv[1:]:
    importlib.import_module(name).DESCRIPTOR.CopyToProto(files.file.add())
sys.stdout.buffer.write(files.SerializeToString())
"""
_TF = "tensorflow.core.framework"
_SERVING = "tensorflow_serving.apis"

# What their packages have and no protocol of ours carries, or (RepositoryModel…) has in other fields: see the sources.
_NOT_OURS = (
    "tensorflow.", "inference.Model", "inference.Repository", "inference.Cuda", "inference.System", "inference.Trace",
    "inference.Log", "inference.Statistic", "inference.Infer", "inference.Batch", "inference.Duration",
    "inference.Memory", "inference.Response", "GRPCInferenceService/", "PredictionService/", "SessionService/",
    "ModelService/",
)  # fmt: skip


def test_the_checked_in_descriptors_are_those_of_the_sources(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("protos_tool", ROOT / "tools" / "protos.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    tool.compile_into(tmp_path / "made.binpb")

    assert _files((tmp_path / "made.binpb").read_bytes()) == _files(protos.DESCRIPTORS.read_bytes()), (
        "run `make protos`: the .proto files changed"
    )


@pytest.mark.slow
def test_a_package_that_registers_the_same_names_does_not_clash() -> None:
    done = subprocess.run([sys.executable, "-c", _CLASH], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("1.0\nm\n", "")


def test_importing_the_module_does_not_import_protobuf() -> None:
    code = "import sys, fairlead.protocols.protos, fairlead.protocols.v2_proto, fairlead.protocols.seldon_proto;"
    code += "import fairlead.protocols.tensorflow_proto; print('google.protobuf' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_bytes_that_are_no_message_are_refused_by_the_messages_name() -> None:
    with pytest.raises(BadRequest, match=r"cannot be read as seldon\.protos\.SeldonMessage"):
        protos.parse("seldon.protos.SeldonMessage", b"\xff\xff")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("client", "modules", "least"),
    [
        (
            "seldon-core",
            [
                "seldon_core.proto.prediction_pb2",
                *(f"seldon_core.proto.{_TF}.{name}_pb2" for name in ("tensor", "tensor_shape", "types")),
            ],
            80,
        ),
        ("kserve", ["kserve.protocol.grpc.grpc_predict_v2_pb2"], 60),
        ("triton", ["tritonclient.grpc.service_pb2"], 60),
        (
            "tensorflow-serving",
            [f"{_SERVING}.{name}_pb2" for name in ("predict", "model", "classification", "regression", "input")]
            + [f"{_SERVING}.{name}_pb2" for name in ("inference", "get_model_metadata", "get_model_status")]
            + [f"{_TF}.{name}_pb2" for name in ("tensor", "tensor_shape", "types")]
            + ["tensorflow.core.example.example_pb2", "tensorflow.core.example.feature_pb2"],
            60,
        ),
    ],
)
def test_every_field_of_a_real_clients_messages_is_the_same_here(client: str, modules: list[str], least: int) -> None:
    argv = [str(environment(client)), "-c", _DUMP, *modules]
    dumped = subprocess.run(argv, capture_output=True, check=True).stdout
    theirs = dict(_fields(descriptor_pb2.FileDescriptorSet.FromString(dumped).file))
    ours = dict(_fields(protos.files()))

    shared = {name: fields for name, fields in theirs.items() if name in ours}
    missing = [name for name in theirs if name not in ours and not name.startswith(_NOT_OURS)]
    different = {name: (fields, ours[name]) for name, fields in shared.items() if ours[name] != fields}
    different = {name: pair for name, pair in different.items() if "RepositoryModel" not in name}
    assert len(shared) >= least
    assert not missing
    assert not different


def _files(data: bytes) -> dict[str, bytes]:
    every = descriptor_pb2.FileDescriptorSet.FromString(data).file
    return {file.name: file.SerializeToString(deterministic=True) for file in every if "google/" not in file.name}


def _fields(files: Any) -> Any:
    for file in files:
        if not file.package.startswith(("seldon.protos", "tensorflow", "inference")):
            continue
        for message in file.message_type:
            yield from _fields_of(f"{file.package}.{message.name}", message)
        for service in file.service:
            for method in service.method:
                yield f"{service.name}/{method.name}", (method.input_type, method.output_type)


def _fields_of(name: str, message: Any) -> Any:
    for field in message.field:
        yield f"{name}.{field.name}", (field.number, field.type, field.label, field.type_name)
    for nested in message.nested_type:
        yield from _fields_of(f"{name}.{nested.name}", nested)
