"""The protobuf form of OpenAPI 2, read back by protobuf's own library under the public field numbers."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from fairlead.control.api import openapi_proto

_LABEL = descriptor_pb2.FieldDescriptorProto
# Of OpenAPIv2.proto: message -> field -> (number, type, repeated). A type in capitals is another message.
_MESSAGES: dict[str, dict[str, tuple[int, str, bool]]] = {
    "Document": {
        "swagger": (1, "string", False),
        "info": (2, "Info", False),
        "paths": (8, "Paths", False),
        "definitions": (9, "Properties", False),
    },
    "Info": {"title": (1, "string", False), "version": (2, "string", False)},
    "Paths": {"path": (2, "NamedPath", True)},
    "NamedPath": {"name": (1, "string", False), "value": (2, "PathItem", False)},
    "PathItem": {"patch": (8, "Operation", False)},
    "Operation": {"parameters": (8, "ParametersItem", True), "vendor_extension": (13, "NamedAny", True)},
    "ParametersItem": {"parameter": (1, "Parameter", False)},
    "Parameter": {"non_body": (2, "NonBody", False)},
    "NonBody": {"query": (3, "Query", False)},
    "Query": {"where": (2, "string", False), "name": (4, "string", False), "type": (6, "string", False)},
    "NamedAny": {"name": (1, "string", False), "value": (2, "Any", False)},
    "Any": {"yaml": (2, "string", False)},
    "Properties": {"members": (1, "NamedSchema", True)},
    "NamedSchema": {"name": (1, "string", False), "value": (2, "Schema", False)},
    "Schema": {
        "description": (4, "string", False),
        "required": (19, "string", True),
        "enum": (20, "Any", True),
        "additional": (21, "Additional", False),
        "type": (22, "Type", False),
        "items": (23, "Items", False),
        "properties": (25, "Properties", False),
        "vendor_extension": (31, "NamedAny", True),
    },
    "Additional": {"schema": (1, "Schema", False)},
    "Type": {"value": (1, "string", True)},
    "Items": {"schema": (1, "Schema", True)},
}


def parse(data: bytes) -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="openapi.proto", package="t", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            added = message.field.add(name=field, number=number)
            added.label = _LABEL.LABEL_REPEATED if repeated else _LABEL.LABEL_OPTIONAL
            added.type = _LABEL.TYPE_STRING if kind == "string" else _LABEL.TYPE_MESSAGE
            if kind != "string":
                added.type_name = f".t.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    document: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Document"))()
    document.ParseFromString(data)
    return document


def test_definitions_read_back_as_they_were_written() -> None:
    schema = {
        "type": "object",
        "description": "A model.",
        "required": ["name"],
        "x-kubernetes-group-version-kind": [{"group": "g", "kind": "K", "version": "v1"}],
        "properties": {
            "name": {"type": "string", "enum": ["a", "b"]},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "ports": {"type": "array", "items": {"type": "integer"}},
        },
    }
    head = {"swagger": "2.0", "info": {"title": "Fairlead", "version": "1"}}

    document = parse(openapi_proto.encode({**head, "definitions": {"g.v1.K": schema}, "paths": {}}))

    (named,) = document.definitions.members
    members = {member.name: member.value for member in named.value.properties.members}
    (extension,) = named.value.vendor_extension
    assert (document.swagger, document.info.title, named.name) == ("2.0", "Fairlead", "g.v1.K")
    assert (list(named.value.type.value), list(named.value.required)) == (["object"], ["name"])
    assert [item.yaml for item in members["name"].enum] == ['"a"', '"b"']
    assert list(members["labels"].additional.schema.type.value) == ["string"]
    assert list(members["ports"].items.schema[0].type.value) == ["integer"]
    assert extension.name == "x-kubernetes-group-version-kind"
    assert '"kind": "K"' in extension.value.yaml


def test_operations_carry_the_parameters_that_kubectl_looks_for() -> None:
    operation = {
        "operationId": "patch",
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "parameters": [{"name": "dryRun", "in": "query", "type": "string"}],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
    }
    head = {"swagger": "2.0", "info": {"title": "Fairlead", "version": "1"}, "definitions": {}}

    document = parse(openapi_proto.encode({**head, "paths": {"/a/{name}": {"patch": operation}}}))

    (path,) = document.paths.path
    query = path.value.patch.parameters[0].parameter.non_body.query
    assert (path.name, query.name, query.where, query.type) == ("/a/{name}", "dryRun", "query", "string")
    assert path.value.patch.vendor_extension[0].value.yaml == '"patch"'
