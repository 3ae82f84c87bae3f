from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import BadRequest, LoadError, NotOffered
from fairlead.plan.model import Method
from fairlead.protocols.message import Form
from fairlead.runtimes.base import Servable
from fairlead.runtimes.component import Component
from fairlead.runtimes.plain import PlainUnit
from support.units import asking, unit
from support.user_files import forgotten, listed, load, tensors, v1, write


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    with forgotten():
        yield


def plain(folder: Path, source: str, target: str = "predict", **parameters: Any) -> Servable:
    return load(unit(code=write(folder, "mine", f"import numpy as np\n{source}", target), **parameters))


def test_a_function_is_called_with_an_array(tmp_path: Path) -> None:
    servable = plain(tmp_path, "def predict(X):\n    return X * 2\n")

    assert servable.invoke(Method.PREDICT, asking([[1, 2]], puid="p")).payload.value.tolist() == [[2, 4]]
    assert listed(servable.invoke(Method.PREDICT, tensors(x=[[1.5]]))) == {"output-0": [[3.0]]}
    assert servable.invoke(Method.PREDICT, v1({"instances": [[1]]})).payload.value.tolist() == [[2]]


def test_a_colon_names_a_function_too(tmp_path: Path) -> None:
    code = write(tmp_path, "mine", "def predict(X):\n    return X\n")
    named = type(code)(target="mine:predict", path=code.path)

    assert isinstance(load(unit(code=named)), PlainUnit)


@pytest.mark.parametrize(
    "source",
    [
        "class Mine:\n    def predict(self, X):\n        return X * 2\n",
        "class Mine:\n    def __call__(self, X):\n        return X * 2\n",
        "class Mine:\n    @staticmethod\n    def predict(X):\n        return X * 2\n",
        "class Mine:\n    async def predict(self, X):\n        return X * 2\n",
        "class Mine:\n    def load(self):\n        self.n = 2\n    def predict(self, X):\n        return X * self.n\n",
        "class Mine:\n    def __init__(self, n=2): self.n = n\n    def predict(self, X):\n        return X * self.n\n",
    ],
)
def test_a_class_with_one_argument_is_called_with_an_array(tmp_path: Path, source: str) -> None:
    assert plain(tmp_path, source, "Mine").invoke(Method.PREDICT, asking([[1]])).payload.value.tolist() == [[2]]


@pytest.mark.parametrize("arguments", ["self, X, names", "self, X, names=None, meta=None", "self, *args"])
def test_a_class_whose_predict_takes_names_is_seldons(tmp_path: Path, arguments: str) -> None:
    servable = plain(tmp_path, f"class Mine:\n    def predict({arguments}):\n        return [1]\n", "Mine")

    assert isinstance(servable, Component)


def test_several_arguments_are_inputs_by_name(tmp_path: Path) -> None:
    servable = plain(tmp_path, "def predict(age, income):\n    return age + income\n")
    table = asking([[1, 2], [3, 4]], names=["age", "income"])

    assert listed(servable.invoke(Method.PREDICT, tensors(income=[2.0], age=[1.0]))) == {"output-0": [3.0]}
    assert servable.invoke(Method.PREDICT, table).payload.value.tolist() == [3, 7]
    assert servable.invoke(Method.PREDICT, asking({"age": [1], "income": [2]}, Form.JSON)).payload.value.tolist() == [3]


def test_a_class_takes_inputs_by_keyword(tmp_path: Path) -> None:
    source = "class Mine:\n    def predict(self, *, age, income=0.5):\n        return age + income\n"

    assert listed(plain(tmp_path, source, "Mine").invoke(Method.PREDICT, tensors(age=[1.0]))) == {"output-0": [1.5]}


def test_missing_and_unknown_inputs_are_refused_by_name(tmp_path: Path) -> None:
    servable = plain(tmp_path, "def predict(age, income):\n    return age\n")

    with pytest.raises(BadRequest, match="takes the inputs 'age', 'income'; the request has 'age', 'size'"):
        servable.invoke(Method.PREDICT, tensors(age=[1], size=[2]))
    with pytest.raises(BadRequest, match="the request has none that has a name"):
        servable.invoke(Method.PREDICT, asking([[1, 2]]))


def test_text_arrives_as_text(tmp_path: Path) -> None:
    servable = plain(tmp_path, "def predict(X):\n    return [text.upper() for text in X]\n")

    assert listed(servable.invoke(Method.PREDICT, tensors(words=["a", "é"]))) == {"output-0": [b"A", "É".encode()]}


@pytest.mark.parametrize(
    ("returned", "form", "value"),
    [
        ("'text'", Form.STRING, "text"),
        ("{'a': np.array([1]), 'b': np.float32(0.5)}", Form.JSON, {"a": [1], "b": 0.5}),
        ("b'raw'", Form.BINARY, b"raw"),
        ("1.5", Form.NDARRAY, [1.5]),
        ("[[1], [2]]", Form.NDARRAY, [[1], [2]]),
    ],
)
def test_the_kind_of_the_answer_says_how_it_is_sent(tmp_path: Path, returned: str, form: Form, value: object) -> None:
    payload = plain(tmp_path, f"def predict(X):\n    return {returned}\n").invoke(Method.PREDICT, asking([1])).payload
    given = payload.value.tolist() if isinstance(payload.value, np.ndarray) else payload.value

    assert (payload.form, given) == (form, value)


def test_a_dict_is_several_outputs(tmp_path: Path) -> None:
    servable = plain(tmp_path, "def predict(X):\n    return {'low': X - 1, 'high': X + 1, 'name': 'n'}\n")

    assert listed(servable.invoke(Method.PREDICT, tensors(x=[1]))) == {"low": [0], "high": [2], "name": [b"n"]}


def test_a_units_parameters_are_a_functions_settings(tmp_path: Path) -> None:
    source = "def predict(X, factor=1):\n    return X * factor\n"

    assert plain(tmp_path, source, factor=4).invoke(Method.PREDICT, asking([1])).payload.value.tolist() == [4]
    with pytest.raises(LoadError, match=r"predict\(\) has no parameter facto"):
        plain(tmp_path, source, facto=4)


def test_a_function_that_needs_nothing_more_makes_the_unit(tmp_path: Path) -> None:
    source = "class Made:\n    def __init__(self, n): self.n = n\n    def predict(self, X): return X * self.n\n"
    source += "def make(n):\n    return Made(n)\n"

    assert plain(tmp_path, source, "make", n=3).invoke(Method.PREDICT, asking([1])).payload.value.tolist() == [3]


def test_only_a_function_that_says_so_shares_calls(tmp_path: Path) -> None:
    source = "def predict(X):\n    return X * 2\n"
    marked = plain(tmp_path / "a", f"{source}predict.fairlead_rowwise = True\n")

    assert plain(tmp_path / "b", source).rows is None
    assert marked.rows is not None
    assert marked.rows.predict(np.array([[1.0]])).tolist() == [[2.0]]


def test_it_explains_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotOffered, match="explainer_host"):
        plain(tmp_path, "def predict(X):\n    return X\n").invoke(Method.EXPLAIN, asking([1]))
