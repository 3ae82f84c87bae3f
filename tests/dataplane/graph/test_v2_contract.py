"""What peers of the Open Inference Protocol are asked, and how their words are read."""

import pytest

from fairlead.dataplane.graph.contracts import CONTRACTS
from fairlead.plan.model import Method, Protocol
from fairlead.protocols.wire import Body

V2 = CONTRACTS[Protocol.V2]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (Method.PREDICT, "/v2/models/a%20b/infer"),
        (Method.TRANSFORM_INPUT, "/v2/models/a%20b/infer"),
        (Method.TRANSFORM_OUTPUT, "/v2/models/a%20b/infer"),
        (Method.ROUTE, "/route"),
        (Method.AGGREGATE, "/aggregate"),
    ],
)
def test_each_method_has_its_path(method: Method, path: str) -> None:
    assert V2.path(method, "a b") == path


def test_a_model_is_asked_for_its_state_and_what_it_takes() -> None:
    assert V2.status_path("m/1") == "/v2/models/m%2F1/ready"
    assert V2.metadata_path("m") == "/v2/models/m"
    assert not V2.takes_feedback


@pytest.mark.parametrize(
    ("body", "route"),
    [
        (b'{"outputs":[{"name":"r","shape":[1],"datatype":"INT64","data":[2]}]}', 2),
        (b'{"outputs":[{"name":"r","shape":[1],"datatype":"BYTES","data":["2"]}]}', -1),
        (b'{"outputs":[]}', -1),
        (b"[[1]]", 1),
        (b'{"data":{"ndarray":[0]}}', 0),
        (b'{"strData":"1"}', -1),
        (b"nope", -1),
    ],
)
def test_the_branch_is_the_first_number_of_a_routers_answer(body: bytes, route: int) -> None:
    assert V2.route_of(Body(body)) == route


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error":"no"}', "no"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"detail":[{"type":"missing"}]}', '[{"type":"missing"}]'),
        (b"Internal Server Error", "Internal Server Error"),
        (b"[]", ""),
    ],
)
def test_a_refusals_sentence_is_found_in_any_servers_shape(body: bytes, words: str) -> None:
    assert V2.words_of(body) == words
