import copy
from typing import Any

import numpy as np
import pytest

from fairlead.protocols.message import Form, Meta, Payload
from fairlead.protocols.seldon_v1 import meta_object
from fairlead.runtimes.answers import (
    answer_payload,
    data_of,
    features_of,
    merged_meta,
    meta_argument,
    own_copy,
    passed_on,
    passed_on_by_all,
)
from fairlead.runtimes.failures import BadData
from support.units import asking


@pytest.mark.parametrize(
    ("returned", "asked", "form"),
    [
        ({"a": 1}, Form.NDARRAY, Form.JSON),
        (b"x", Form.NDARRAY, Form.BINARY),
        (bytearray(b"x"), Form.NDARRAY, Form.BINARY),
        ("x", Form.NDARRAY, Form.STRING),
        ([[1, 2]], Form.TENSOR, Form.TENSOR),
        (np.array([[1.5]]), Form.TENSOR, Form.TENSOR),
        ([[1, 2]], Form.TFTENSOR, Form.TFTENSOR),
        ([[1, 2]], Form.NDARRAY, Form.NDARRAY),
        ([[1, 2]], Form.EMPTY_DATA, Form.NDARRAY),
        ([["a"]], Form.TENSOR, Form.NDARRAY),
        ([[True]], Form.TENSOR, Form.NDARRAY),
        (np.array([{"a": 1}]), Form.TENSOR, Form.NDARRAY),
        ([1, 2], Form.STRING, Form.TENSOR),
        ([1, 2], Form.BINARY, Form.TENSOR),
        ([1, 2], Form.JSON, Form.TENSOR),
        ([1, 2], Form.NONE, Form.TENSOR),
        (["a"], Form.JSON, Form.NDARRAY),
    ],
)
def test_the_kind_of_the_value_and_the_form_of_the_request_decide_the_form(
    returned: Any, asked: Form, form: Form
) -> None:
    assert answer_payload(returned, asked, None).form is form


@pytest.mark.parametrize("returned", [None, 3, 1.5, object, {1, 2}, (1, 2)])
def test_anything_else_is_refused_with_the_text_clients_know(returned: Any) -> None:
    with pytest.raises(BadData) as refused:
        answer_payload(returned, Form.NDARRAY, None)

    assert str(refused.value) == f"Unknown data type returned as payload (must be list or np array):{returned}"
    assert (refused.value.http, refused.value.reason) == (400, "MICROSERVICE_BAD_DATA")


def test_columns_are_named_by_position_unless_the_unit_names_them() -> None:
    assert answer_payload([[1, 2]], Form.NDARRAY, None).names == ["t:0", "t:1"]
    assert answer_payload([[1, 2]], Form.NDARRAY, lambda: ["a", "b"]).names == ["a", "b"]
    assert answer_payload([[1, 2]], Form.NDARRAY, lambda: None).names == ["t:0", "t:1"]
    assert answer_payload(np.zeros((2, 3, 4)), Form.NDARRAY, None).names == ["t:0", "t:1", "t:2"]


def test_one_dimension_has_no_names() -> None:
    assert answer_payload([1, 2], Form.NDARRAY, lambda: ["a", "b"]).names == []


def test_integers_stay_integers() -> None:
    assert answer_payload([[1, 2]], Form.NDARRAY, None).value.dtype.kind == "i"


def test_a_ragged_list_keeps_its_rows() -> None:
    payload = answer_payload([[1, 2], [3]], Form.TENSOR, None)

    assert payload.form is Form.NDARRAY
    assert payload.value.tolist() == [[1, 2], [3]]


def test_writing_into_x_does_not_change_the_message() -> None:
    array, nested = asking([[1, 2]]), asking({"a": [1]}, Form.JSON)

    features_of(array.payload)[0, 0] = 9
    features_of(nested.payload)["a"].append(2)

    assert array.payload.value.tolist() == [[1, 2]]
    assert nested.payload.value == {"a": [1]}


def test_a_message_without_payload_has_no_features() -> None:
    with pytest.raises(BadData, match="Invalid request data type: "):
        features_of(Payload(Form.NONE, {"status": {}}))


def test_feedback_knows_arrays_only() -> None:
    assert data_of(asking([[1, 2]]).payload).tolist() == [[1, 2]]
    assert data_of(asking("text", Form.STRING).payload).tolist() == []
    assert data_of(None).tolist() == []


def test_meta_reaches_a_method_as_it_was_sent() -> None:
    sent = asking([[1]])
    sent.raw = {"data": {}, "meta": {"puid": "p", "custom": 1}}
    bare = asking([[1]])
    bare.raw = {"data": {}}
    inner = asking([[1]], puid="p", tags={"a": 1}, request_path={"n": "i"})

    assert meta_argument(sent) == {"puid": "p", "custom": 1}
    assert meta_argument(bare) is None
    assert meta_argument(inner) == {"puid": "p", "tags": {"a": 1}, "requestPath": {"n": "i"}}


def test_meta_accumulates_and_routing_is_left_to_the_graph() -> None:
    first = Meta(
        puid="p",
        tags={"a": 1, "b": 1},
        routing={"r": 1},
        request_path={"x": "1", "me": "old"},
        metrics=[{"key": "k1"}],
    )
    second = Meta(tags={"b": 2, "c": 2}, request_path={"y": "2"}, metrics=[{"key": "k2"}])

    merged = merged_meta(
        [first, second], tags=[{"c": 3, "d": 3}, {"d": 4}], metrics=[{"key": "k3"}], path=("me", "new")
    )

    assert merged == Meta(
        puid="p",
        tags={"a": 1, "b": 2, "c": 3, "d": 4},
        request_path={"me": "old", "x": "1", "y": "2"},
        metrics=[{"key": "k1"}, {"key": "k2"}, {"key": "k3"}],
    )
    assert first.tags == {"a": 1, "b": 1}


@pytest.mark.parametrize("path", [None, ("b", "image:1"), ("a", "image:1")])
def test_a_meta_that_is_only_passed_on_is_what_merging_gives(path: tuple[str, str] | None) -> None:
    arrived = Meta("p", {"t": 1}, {"r": 0}, {"a": "image:0"}, [{"key": "k", "type": "COUNTER", "value": 1}])
    before = copy.deepcopy(arrived)

    assert passed_on(arrived, path) == merged_meta([arrived], tags=(), metrics=[], path=path)
    assert arrived == before


@pytest.mark.parametrize("path", [None, ("b", "image:1"), ("a", "image:1")])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_metas_that_are_only_passed_on_are_what_merging_gives(count: int, path: tuple[str, str] | None) -> None:
    metric = {"key": "k", "type": "COUNTER", "value": 1}
    arrived = [
        Meta("", {"t": 1}, {"r": 0}, {"a": "image:0"}, [metric]),
        Meta("p", {}, {}, {"c": "image:0", "a": "image:2"}, []),
        Meta("q", {"t": 2, "u": 3}, {}, {}, [metric]),
    ][:count]
    before = copy.deepcopy(arrived)

    assert passed_on_by_all(arrived, path) == merged_meta(arrived, tags=(), metrics=[], path=path)
    assert arrived == before


@pytest.mark.parametrize("meta", [Meta(), Meta("p", {"a": [1]}, {"r": 0}, {"n": "i"}, [{"key": "k"}])])
def test_meta_between_units_has_the_names_of_the_wire_and_is_the_methods_own(meta: Meta) -> None:
    message = asking([[1]])
    message.meta = meta
    before = copy.deepcopy(meta)

    given = meta_argument(message)

    assert given == meta_object(meta)
    for part in (given or {}).values():
        if not isinstance(part, str):
            part.clear()
    assert meta == before


def test_a_copy_shares_nothing_that_can_be_written_into() -> None:
    value = {"a": [1, {"b": [None, "x"]}], "c": np.array([1]), "d": (1, [2])}

    copied = own_copy(value)
    copied["a"][1]["b"].append(2)
    copied["c"][0] = 9
    copied["d"][1].append(3)

    assert value["a"] == [1, {"b": [None, "x"]}]
    assert (value["c"], value["d"]) == (np.array([1]), (1, [2]))
