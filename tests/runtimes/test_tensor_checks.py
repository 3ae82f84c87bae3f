from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.errors import BadRequest
from fairlead.protocols.tensors import DTYPES, tensor
from fairlead.runtimes.base import TensorSpec
from fairlead.runtimes.tensor_checks import cast, chosen, fitted, texts


def spec(name: str = "x", datatype: str = "FP32", shape: tuple[int, ...] = ()) -> TensorSpec:
    return TensorSpec(name=name, datatype=datatype, shape=shape)


def casted(values: Any, dtype: Any, datatype: str) -> Any:
    return cast(tensor("x", np.array(values, dtype=dtype)), spec(datatype=datatype)).array


@pytest.mark.parametrize(
    ("values", "dtype", "datatype"),
    [
        ([1, 2], np.int64, "FP32"),
        ([0.1, 2.0], np.float64, "FP32"),
        ([np.nan, np.inf], np.float64, "FP16"),
        ([1.0, -3.0], np.float64, "INT32"),
        ([0, 255], np.int64, "UINT8"),
        ([0, 1], np.int64, "BOOL"),
        ([True, False], np.bool_, "INT8"),
        ([], np.float64, "INT64"),
        ([2.0**62], np.float64, "INT64"),
    ],
)
def test_numbers_change_their_datatype_when_only_precision_is_lost(values: Any, dtype: Any, datatype: str) -> None:
    array = casted(values, dtype, datatype)

    assert array.dtype == DTYPES[datatype]
    np.testing.assert_allclose(array.astype(np.float64), np.array(values, dtype=np.float64), rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "dtype", "datatype"),
    [
        ([1.5], np.float64, "INT32"),
        ([np.nan], np.float64, "INT32"),
        ([np.inf], np.float64, "INT64"),
        ([2.0**63], np.float64, "INT64"),
        ([-1], np.int64, "UINT64"),
        ([256], np.int64, "UINT8"),
        ([2**63], np.uint64, "INT64"),
        ([2], np.int64, "BOOL"),
        ([0.5], np.float64, "BOOL"),
        ([1e300], np.float64, "FP32"),
        ([70000], np.int64, "FP16"),
    ],
)
def test_a_value_that_would_change_is_refused(values: Any, dtype: Any, datatype: str) -> None:
    with pytest.raises(BadRequest, match=rf"^input 'x': expected {datatype}, got \w+ \[1\]: its values are not all"):
        casted(values, dtype, datatype)


def test_text_and_numbers_are_never_each_other() -> None:
    with pytest.raises(BadRequest, match=r"^input 'x': expected FP32 \[-1\], got BYTES \[1\]$"):
        fitted([tensor("x", np.array(["1"]))], [spec(shape=(-1,))])
    with pytest.raises(BadRequest, match=r"^input 'x': expected BYTES, got FP64 \[1\]$"):
        fitted([tensor("x", np.array([1.0]))], [spec(datatype="BYTES")])


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**64 - 1)), st.sampled_from([d for d in DTYPES if "INT" in d]))
def test_integers_come_through_as_they_are_or_not_at_all(values: list[int], datatype: str) -> None:
    if all(value >= 0 for value in values):
        array = np.array(values, dtype=np.uint64)
    elif all(value < 2**63 for value in values):
        array = np.array(values, dtype=np.int64)
    else:
        return
    info = np.iinfo(DTYPES[datatype])
    fits = all(info.min <= value <= info.max for value in values)

    try:
        assert casted(array, array.dtype, datatype).tolist() == values
        assert fits
    except BadRequest:
        assert not fits


def test_inputs_come_in_the_order_of_the_model() -> None:
    specs = [spec("a"), spec("b", "INT64")]

    ordered = fitted([tensor("b", np.array([1])), tensor("a", np.array([2]))], specs)

    assert [(one.name, one.datatype, one.array.tolist()) for one in ordered] == [
        ("a", "FP32", [2]),
        ("b", "INT64", [1]),
    ]


def test_a_lone_tensor_of_a_model_of_one_input_may_have_any_name() -> None:
    assert fitted([tensor("input-0", np.array([1.0]))], [spec("features", "FP64")])[0].array.tolist() == [1.0]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "zzz"], "unknown input 'zzz'; this model takes 'a' (FP32 [-1, 4]), 'b' (INT64)"),
        (["a"], "missing input 'b' (INT64); this model takes 'a' (FP32 [-1, 4]), 'b' (INT64)"),
        (["a", "a"], "input 'a' is given twice"),
    ],
)
def test_wrong_names_are_answered_with_the_right_ones(names: list[str], message: str) -> None:
    tensors = [tensor(name, np.zeros((1, 4))) for name in names]

    with pytest.raises(BadRequest) as refused:
        fitted(tensors, [spec("a", shape=(-1, 4)), spec("b", "INT64")])

    assert str(refused.value) == message


@pytest.mark.parametrize("shape", [(1, 3), (4,), (1, 4, 1)])
def test_a_wrong_shape_is_answered_with_the_right_one(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadRequest) as refused:
        fitted([tensor("x", np.zeros(shape))], [spec(shape=(-1, 4))])

    assert str(refused.value) == f"input 'x': expected FP32 [-1, 4], got FP64 {list(shape)}"


def test_a_model_that_declares_nothing_gets_what_came() -> None:
    tensors = [tensor("anything", np.array([1]))]

    assert fitted(tensors, []) == tensors


def test_the_outputs_are_those_asked_for_or_all() -> None:
    assert chosen([], ["a", "b"], model="iris") == ["a", "b"]
    assert chosen(["b"], ["a", "b"], model="iris") == ["b"]
    with pytest.raises(BadRequest, match=r"^Unexpected inference output 'c' for model 'iris'$"):
        chosen(["c"], ["a", "b"], model="iris")


def test_bytes_become_text_or_say_which_does_not() -> None:
    assert texts(tensor("x", np.array(["é", "b"]))).tolist() == ["é", "b"]
    with pytest.raises(BadRequest, match="input 'x': element 1 is not UTF-8 text"):
        texts(tensor("x", np.array([b"a", b"\xff"], dtype=object)))
