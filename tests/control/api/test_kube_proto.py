"""Protobuf bodies: what kubectl 1.32 was seen to send, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.control.api.kube_proto import decode
from fairlead.errors import BadRequest

# The body of `kubectl create namespace seldon`, kubectl v1.32.4, as -v=9 prints it.
NAMESPACE = bytes.fromhex(
    "6b3873000a0f0a02763112094e616d657370616365121e0a160a0673656c646f6e12001a0022002a0032003800420012001a020a001a002200"
)


def envelope(kind: str, raw: bytes) -> bytes:
    head = b"\x0a\x02v1\x12" + bytes([len(kind)]) + kind.encode()
    return b"k8s\x00\x0a" + bytes([len(head)]) + head + b"\x12" + bytes([len(raw)]) + raw


def test_a_namespace_from_kubectl_is_read() -> None:
    document = decode(NAMESPACE)

    assert (document["apiVersion"], document["kind"]) == ("v1", "Namespace")
    assert document["metadata"]["name"] == "seldon"


def test_a_secrets_values_are_in_base64() -> None:
    document = decode(envelope("Secret", b"\x0a\x03\x0a\x01s\x12\x06\x0a\x01a\x12\x01b\x1a\x06Opaque\x28\x01"))

    assert document["metadata"] == {"name": "s"}
    assert (document["data"], document["type"], document["immutable"]) == ({"a": "Yg=="}, "Opaque", True)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "does not start as Kubernetes' bodies do"),
        (envelope("Pod", b""), "a Pod in protobuf is not read here, send JSON"),
        (envelope("Namespace", b"\x7a\x01x"), "holds field 15, which is not known here"),
        (NAMESPACE[:-10], "ends in the middle"),
        (envelope("Secret", b"\x18\x05"), "a number where text belongs"),
        (envelope("Secret", b"\x2a\x01x"), "text where a number belongs"),
        (envelope("Secret", b"\x1a\x01\xff"), "not UTF-8"),
        (envelope("Secret", b"\x1b"), "wire type 3"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        decode(body)


@given(st.binary(max_size=64))
def test_any_bytes_end_in_a_document_or_a_refusal(noise: bytes) -> None:
    for kind in ("Secret", "DeleteOptions"):
        try:
            decode(envelope(kind, noise))
        except BadRequest:
            continue
