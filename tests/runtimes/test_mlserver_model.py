import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fairlead.errors import LoadError, NotOffered, UnitFailed
from fairlead.plan.model import Method, Protocol
from fairlead.protocols.message import Asked, Form
from fairlead.runtimes.base import Servable
from support.units import asking, unit
from support.user_files import forgotten, listed, load, tensors, write


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    with forgotten():
        yield


DOUBLER = """
from mlserver import MLModel, types
from mlserver.codecs import NumpyCodec

class Doubler(MLModel):
    async def load(self) -> bool:
        self.factor = (self.settings.parameters.extra or {}).get("factor", 2)
        return True

    async def predict(self, payload: types.InferenceRequest) -> types.InferenceResponse:
        given = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        return types.InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[NumpyCodec.encode_output("doubled", given * self.factor)],
        )
"""


def model(folder: Path, body: str, head: str = "") -> Servable:
    """A class with these methods."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    imports = "from mlserver import MLModel, errors, types\nfrom mlserver.codecs import *\nimport numpy as np\n"
    source = f"{imports}{head}\nclass Mine(MLModel):\n"
    return load(unit(code=write(folder, "Mine", source + lines)))


def test_a_model_answers_tensors(tmp_path: Path) -> None:
    servable = load(unit(code=write(tmp_path, "Doubler", DOUBLER)))

    message = servable.invoke(Method.PREDICT, tensors(x=np.array([[1.5, 2]], np.float32)))

    assert listed(message) == {"doubled": [[3.0, 4.0]]}
    assert message.payload.value[0].datatype == "FP32"
    assert message.payload.value[0].parameters == {"content_type": "np"}


def test_a_model_answers_an_array_of_seldons(tmp_path: Path) -> None:
    servable = load(unit(code=write(tmp_path, "Doubler", DOUBLER), factor=3), protocol=Protocol.SELDON)

    message = servable.invoke(Method.PREDICT, asking([[1, 2]]))

    assert (message.payload.form, message.payload.value.tolist()) == (Form.NDARRAY, [[3, 6]])


def test_a_folder_with_model_settings_names_class_name_and_files(tmp_path: Path) -> None:
    source = """
from mlserver import MLModel, types
from mlserver.codecs import StringCodec
from pathlib import Path
from mlserver.utils import get_model_uri
class Mine(MLModel):
    async def load(self):
        self.path = await get_model_uri(self.settings, wellknown_filenames=["words.txt"])
        return True
    async def predict(self, payload):
        said = [self.name, self.version, Path(self.path).read_text()]
        return types.InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("said", said)])
"""
    write(tmp_path, "models", source)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words.txt").write_text("hello")
    settings = {"name": "named", "implementation": "models.Mine", "parameters": {"uri": "./data", "version": "v3"}}
    (tmp_path / "model-settings.json").write_text(json.dumps(settings))

    message = load(unit(), folder=tmp_path).invoke(Method.PREDICT, tensors(x=[1]))

    assert listed(message) == {"said": [[b"named"], [b"v3"], [b"hello"]]}


def test_decode_args_gives_values_by_name_and_takes_values(tmp_path: Path) -> None:
    body = """
@decode_args
async def predict(self, numbers: np.ndarray, words: List[str]) -> Tuple[np.ndarray, List[str]]:
    return numbers.sum(keepdims=True), [word.upper() for word in words]
"""
    servable = model(tmp_path, body, head="from typing import List, Tuple\nfrom mlserver.codecs import decode_args")

    message = servable.invoke(Method.PREDICT, tensors(numbers=np.array([1.0, 2.0]), words=["a"]))

    assert listed(message) == {"output-0": [[3.0]], "output-1": [[b"A"]]}


def test_pandas_requests_are_frames(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="not run: pandas is not installed")
    body = """
async def predict(self, payload):
    frame = self.decode_request(payload, default_codec=PandasCodec)
    frame["total"] = frame["a"] + frame["b"]
    return self.encode_response(frame[["total"]])
"""
    message = model(tmp_path, body).invoke(Method.PREDICT, tensors(a=np.array([1, 2]), b=np.array([[3], [4]])))

    assert listed(message) == {"total": [[4], [6]]}


def test_codecs_read_what_they_write(tmp_path: Path) -> None:
    body = """
async def predict(self, payload):
    from datetime import datetime
    for codec, value in (
        (NumpyCodec, np.array([[1, 2], [3, 4]])),
        (StringCodec, ["a", "é"]),
        (Base64Codec, [b"\\x00\\xff"]),
        (DatetimeCodec, [datetime(2026, 1, 2, 3, 4)]),
    ):
        assert codec.can_encode(value)
        assert np.array_equal(codec.decode_input(codec.encode_input("x", value)), value)
    for codec, value in ((NumpyRequestCodec, np.array([[1.5]])), (StringRequestCodec, ["a"])):
        assert np.array_equal(codec.decode_request(codec.encode_request(value)), value)
        assert np.array_equal(codec.decode_response(codec.encode_response("m", value)), value)
    return NumpyRequestCodec.encode_response(self.name, np.array([[1]]))
"""
    assert listed(model(tmp_path, body).invoke(Method.PREDICT, tensors(x=[1]))) == {"output-1": [[1]]}


def test_headers_and_ids_travel(tmp_path: Path) -> None:
    body = """
async def predict(self, payload):
    said = [payload.id, payload.parameters.headers["x-who"], payload.inputs[0].data[0]]
    answer = types.InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("said", said)])
    answer.parameters = types.Parameters(headers={"x-seen": "yes"})
    return answer
"""
    asked = Asked(id="7", headers=[(b"x-who", b"me")])

    message = model(tmp_path, body).invoke(Method.PREDICT, tensors(words=["é"], asked=asked))

    assert listed(message) == {"said": [[b"7"], [b"me"], ["é".encode()]]}
    assert message.response_headers == {"x-seen": "yes"}


def test_failures_keep_their_status(tmp_path: Path) -> None:
    body = "async def predict(self, payload):\n    raise errors.InferenceError('bad width')"
    with pytest.raises(UnitFailed, match="bad width") as failed:
        model(tmp_path / "a", body).invoke(Method.PREDICT, tensors(x=[1]))
    assert failed.value.http == 400

    with pytest.raises(NotOffered, match="not implemented"):
        model(tmp_path / "b", "pass").invoke(Method.PREDICT, tensors(x=[1]))
    with pytest.raises(UnitFailed, match="KeyError : 'a'"):
        model(tmp_path / "c", "async def predict(self, payload):\n    raise KeyError('a')").invoke(
            Method.PREDICT, tensors(x=[1])
        )


def test_a_load_that_says_no_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"load\(\) of Mine returned False"):
        model(tmp_path, "async def load(self):\n    return False")


def test_settings_that_are_no_json_say_so(tmp_path: Path) -> None:
    (tmp_path / "model-settings.json").write_text("{")

    with pytest.raises(LoadError, match=r"model-settings\.json: not JSON"):
        load(unit(), folder=tmp_path)
