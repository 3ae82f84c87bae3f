"""What a peer behind an address understands: its paths, its wire format, how a router's answer is read."""

from collections.abc import Mapping
from typing import Protocol

from fairlead.dataplane.graph.v1_contract import TensorflowContract, V1Contract
from fairlead.dataplane.graph.v2_contract import V2Contract
from fairlead.errors import FairleadError
from fairlead.plan.model import Method
from fairlead.plan.model import Protocol as Name
from fairlead.protocols import jsontext, seldon_v1
from fairlead.protocols.seldon_json import SELDON_JSON
from fairlead.protocols.wire import Body, Wire

METHOD_HEADER = b"fairlead-method"
"""What a graph asks of a unit behind an address where the path does not say it; units of ours look at it."""

SELDON_PATHS: Mapping[Method, str] = {
    Method.PREDICT: "/predict",
    Method.TRANSFORM_INPUT: "/transform-input",
    Method.TRANSFORM_OUTPUT: "/transform-output",
    Method.ROUTE: "/route",
    Method.AGGREGATE: "/aggregate",
    Method.FEEDBACK: "/send-feedback",
    Method.EXPLAIN: "/explain",
}


class Contract(Protocol):
    """`model` is the unit's name, or the one the caller's path gave."""

    wire: Wire
    takes_feedback: bool

    def path(self, method: Method, model: str) -> str: ...
    def status_path(self, model: str) -> str: ...
    def metadata_path(self, model: str) -> str: ...

    def route_of(self, body: Body) -> int:
        """The branch in a router's answer."""

    def words_of(self, body: bytes) -> str:
        """The sentence in a refusal, for clients of another protocol; empty when there is none."""


class SeldonContract:
    """The REST contract of Seldon's wrapper."""

    wire: Wire = SELDON_JSON
    takes_feedback = True

    def path(self, method: Method, model: str) -> str:  # noqa: ARG002 - one unit per address
        return SELDON_PATHS[method]

    def status_path(self, model: str) -> str:  # noqa: ARG002
        return "/health/status"

    def metadata_path(self, model: str) -> str:  # noqa: ARG002
        return "/metadata"

    def route_of(self, body: Body) -> int:
        try:
            value = jsontext.loads(body.data)
        except ValueError:
            return -1
        try:
            return seldon_v1.route_of(value if isinstance(value, list) else seldon_v1.decode(value))
        except FairleadError:
            return -1

    def words_of(self, body: bytes) -> str:
        try:
            value = jsontext.loads(body)
        except ValueError:
            return body.decode("utf-8", "replace")[:500]
        status = value.get("status") if isinstance(value, dict) else None
        return str(status.get("info", "")) if isinstance(status, dict) else ""


CONTRACTS: Mapping[Name, Contract] = {
    Name.SELDON: SeldonContract(),
    Name.TENSORFLOW: TensorflowContract(),
    Name.V1: V1Contract(),
    Name.V2: V2Contract(),
}
"""Contracts by the protocol a revision speaks."""
