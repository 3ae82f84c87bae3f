import http.server
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import BadRequest, FairleadError, LoadError, NotFound, NotOffered, NotReady, UnitFailed
from fairlead.plan.model import Method, Protocol, Upstream
from fairlead.protocols.message import Asked, Form, Output
from fairlead.runtimes import registry
from fairlead.runtimes.base import LoadContext, Servable
from fairlead.runtimes.failures import Refused
from support.units import asking, context, unit
from support.unix_http import UnixHTTPServer
from support.user_files import forgotten, listed, load, tensors, v1, write


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    with forgotten():
        yield


DOUBLER = """
from kserve import InferRequest, Model
from kserve.utils.utils import get_predict_input, get_predict_response

class Doubler(Model):
    def __init__(self, name, factor=2):
        super().__init__(name)
        self.factor = factor
        self.load()

    def load(self):
        self.ready = True
        return self.ready

    async def preprocess(self, payload, headers=None):
        self.kind = type(payload).__name__
        return payload

    def predict(self, payload, headers=None):
        return get_predict_response(payload, get_predict_input(payload) * self.factor, self.name)
"""


def doubler(folder: Path, protocol: Protocol = Protocol.V2) -> Servable:
    return load(unit(code=write(folder, "Doubler", DOUBLER)), protocol=protocol)


def model(folder: Path, body: str, *, head: str = "", protocol: Protocol = Protocol.V1) -> Servable:
    """A class with these methods."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    source = f"from kserve import *\nfrom kserve.errors import *\n{head}\nclass Mine(Model):\n    ready = True\n"
    source += f"    def __init__(self, name):\n        super().__init__(name)\n        self.ready = True\n{lines}\n"
    return load(unit(code=write(folder, "Mine", source)), protocol=protocol)


def test_a_v1_request_is_a_dict_and_so_is_its_answer(tmp_path: Path) -> None:
    message = doubler(tmp_path, Protocol.V1).invoke(Method.PREDICT, v1({"instances": [[1, 2]]}))

    assert message.raw == {"predictions": [[2, 4]]}
    assert message.payload.form is Form.JSON


def test_a_request_of_tensors_is_an_infer_request(tmp_path: Path) -> None:
    message = doubler(tmp_path).invoke(Method.PREDICT, tensors(x=np.array([[1.5, 2.0]], np.float32)))

    assert message.raw is None
    assert listed(message) == {"output-0": [[3.0, 4.0]]}
    assert message.payload.value[0].datatype == "FP32"


def test_an_array_of_seldons_is_instances_and_comes_back_as_an_array(tmp_path: Path) -> None:
    message = doubler(tmp_path, Protocol.SELDON).invoke(Method.PREDICT, asking([[1, 2]], puid="p"))

    assert message.payload.form is Form.NDARRAY
    assert message.payload.value.tolist() == [[2, 4]]
    assert message.raw is None
    assert message.meta.puid == "p"


def test_the_constructor_gets_the_units_name_and_parameters(tmp_path: Path) -> None:
    servable = load(unit(code=write(tmp_path, "Doubler", DOUBLER), name="mine", factor=5), protocol=Protocol.V1)

    assert servable.model.name == "mine"  # type: ignore[attr-defined]  # the unit's own
    assert servable.invoke(Method.PREDICT, v1({"instances": [1]})).raw == {"predictions": [5]}


def test_the_constructor_gets_the_models_folder_where_it_takes_one(tmp_path: Path) -> None:
    source = """
from kserve import Model
class Mine(Model):
    def __init__(self, name, model_dir):
        super().__init__(name)
        self.folder = model_dir
    def predict(self, payload, headers=None):
        return {"predictions": [self.folder]}
"""
    servable = load(unit(code=write(tmp_path, "Mine", source)), folder=tmp_path, protocol=Protocol.V1)

    assert servable.invoke(Method.PREDICT, v1({})).raw == {"predictions": [str(tmp_path)]}


def test_hooks_run_in_order_whether_or_not_they_are_coroutines(tmp_path: Path) -> None:
    body = """
async def preprocess(self, payload, headers=None):
    return ["preprocess"]
def validate(self, payload):
    return [*payload, "validate"]
async def predict(self, payload, headers=None):
    return [*payload, "predict"]
async def explain(self, payload, headers=None):
    return [*payload, "explain"]
def postprocess(self, result, headers=None):
    return {"predictions": [*result, "postprocess"]}
"""
    servable = model(tmp_path, body)

    predicted = servable.invoke(Method.PREDICT, v1({"instances": [1]}))
    explained = servable.invoke(Method.EXPLAIN, v1({"instances": [1]}))

    assert predicted.raw == {"predictions": ["preprocess", "validate", "predict", "postprocess"]}
    assert explained.raw == {"predictions": ["preprocess", "validate", "explain", "postprocess"]}
    assert Method.EXPLAIN in servable.methods


def test_coroutines_share_one_loop_for_the_units_life(tmp_path: Path) -> None:
    source = """
import asyncio
from kserve import Model
class Mine(Model):
    async def load(self):
        self.loop = asyncio.get_running_loop()
        self.ready = True
    async def predict(self, payload, headers=None):
        return {"predictions": [self.loop is asyncio.get_running_loop()]}
"""
    servable = load(unit(code=write(tmp_path, "Mine", source)), protocol=Protocol.V1)

    assert servable.invoke(Method.PREDICT, v1({})).raw == {"predictions": [True]}
    servable.close()


def test_a_step_of_a_graph_asks_for_one_end_alone(tmp_path: Path) -> None:
    body = """
def preprocess(self, payload, headers=None):
    return {"instances": [[n + 1 for n in row] for row in payload["instances"]]}
def postprocess(self, result, headers=None):
    return {"predictions": [n * 10 for n in result["predictions"]]}
"""
    servable = model(tmp_path, body)

    arrived = servable.invoke(Method.TRANSFORM_INPUT, v1({"instances": [[1, 2]]}))
    left = servable.invoke(Method.TRANSFORM_OUTPUT, v1({"predictions": [3]}))

    assert (arrived.raw, arrived.payload.value.tolist()) == ({"instances": [[2, 3]]}, [[2, 3]])
    assert left.raw == {"predictions": [30]}
    assert servable.methods == {Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT}


def test_hooks_get_the_requests_headers_and_set_the_answers(tmp_path: Path) -> None:
    source = """
from kserve import Model
class Mine(Model):
    def __init__(self, name):
        super().__init__(name, return_response_headers=True)
    def predict(self, payload, headers, response_headers=None):
        response_headers["x-seen"] = headers["x-who"]
        return {"predictions": []}
"""
    servable = load(unit(code=write(tmp_path, "Mine", source)), protocol=Protocol.V1)

    message = servable.invoke(Method.PREDICT, v1({"instances": []}, (b"X-Who", b"me")))

    assert message.response_headers == {"x-seen": "me"}


def test_an_infer_request_says_what_the_request_said(tmp_path: Path) -> None:
    body = """
def predict(self, payload, headers=None):
    one = payload.get_input_by_name("words")
    said = [payload.id, payload.parameters["a"], payload.request_outputs[0].name, one.parameters["b"], one.data[0]]
    return InferResponse(payload.id, self.name, [InferOutput("said", [5], "BYTES", said)])
"""
    servable = model(tmp_path, body, protocol=Protocol.V2)
    message = tensors(words=["é"], asked=Asked(id="7", parameters={"a": "b"}, outputs=[Output("said")]))
    message.payload.value[0].parameters = {"b": "c"}

    assert listed(servable.invoke(Method.PREDICT, message)) == {"said": [b"7", b"b", b"said", b"c", "é".encode()]}


def test_bytes_of_a_binary_request_stay_bytes(tmp_path: Path) -> None:
    body = """
def predict(self, payload, headers=None):
    kind = type(payload.inputs[0].as_numpy()[0]).__name__
    return InferResponse("1", self.name, [InferOutput("kind", [1], "BYTES", [kind])])
"""
    servable = model(tmp_path, body, protocol=Protocol.V2)

    assert listed(servable.invoke(Method.PREDICT, tensors(x=["a"]))) == {"kind": [b"str"]}
    assert listed(servable.invoke(Method.PREDICT, tensors(x=["a"], asked=Asked(is_binary=True)))) == {
        "kind": [b"bytes"]
    }


def test_half_floats_arrive_and_leave(tmp_path: Path) -> None:
    body = """
def predict(self, payload, headers=None):
    given = payload.inputs[0].as_numpy()
    out = InferOutput("y", list(given.shape), "FP16")
    out.set_data_from_numpy(given * 2)
    return InferResponse("1", self.name, [out])
"""
    message = model(tmp_path, body, protocol=Protocol.V2).invoke(Method.PREDICT, tensors(x=np.array([1.5], np.float16)))

    assert message.payload.value[0].datatype == "FP16"
    assert listed(message) == {"y": [3.0]}


@pytest.mark.parametrize(
    ("raised", "error", "text"),
    [
        ("InvalidInput('no')", BadRequest, "no"),
        ("InferenceError('broken')", UnitFailed, "broken"),
        ("ModelNotFound('a')", NotFound, "Model with name a does not exist."),
        ("ModelNotReady('a')", NotReady, "Model with name a is not ready."),
        ("ServerNotReady()", NotReady, "Server is not ready."),
        ("UnsupportedProtocol('v9')", BadRequest, "Unsupported protocol v9."),
        ("NotImplementedError('later')", NotOffered, "later"),
        ("ValueError('bad value')", UnitFailed, "ValueError : bad value"),
        ("KeyError('instances')", UnitFailed, "KeyError : 'instances'"),
    ],
)
def test_what_a_hook_raises_has_kserves_status_and_words(
    tmp_path: Path, raised: str, error: type[FairleadError], text: str
) -> None:
    servable = model(tmp_path, f"def predict(self, payload, headers=None):\n    raise {raised}")

    with pytest.raises(error) as failed:
        servable.invoke(Method.PREDICT, v1({"instances": []}))

    assert str(failed.value) == text


def test_an_http_exception_keeps_its_status(tmp_path: Path) -> None:
    body = "def predict(self, payload, headers=None):\n    raise HTTPException(418, detail='teapot')"
    servable = model(tmp_path, body, head="from starlette.exceptions import HTTPException")

    with pytest.raises(UnitFailed, match=r"^teapot$") as failed:
        servable.invoke(Method.PREDICT, v1({"instances": []}))

    assert failed.value.http == 418


def test_what_a_model_does_not_have_is_not_implemented(tmp_path: Path) -> None:
    servable = model(tmp_path, "pass")

    with pytest.raises(NotOffered, match=r"^Could not find predictor_host\.$"):
        servable.invoke(Method.PREDICT, v1({"instances": []}))
    with pytest.raises(NotOffered, match=r"^Could not find explainer_host\.$"):
        servable.invoke(Method.EXPLAIN, v1({"instances": []}))


def test_a_model_that_is_not_ready_after_load_is_not_served(tmp_path: Path) -> None:
    source = "from kserve import Model\nclass Mine(Model):\n    def load(self):\n        pass\n"

    with pytest.raises(LoadError, match=r"Model with name classifier is not ready"):
        load(unit(code=write(tmp_path, "Mine", source)))


def test_a_load_that_fails_names_its_line(tmp_path: Path) -> None:
    source = "from kserve import Model\nclass Mine(Model):\n    def load(self):\n        raise OSError('gone')\n"

    with pytest.raises(LoadError, match=r"load\(\) failed: OSError: gone \(.*Mine\.py:4\)"):
        load(unit(code=write(tmp_path, "Mine", source)))


def test_a_model_may_say_that_it_is_not_well(tmp_path: Path) -> None:
    servable = model(tmp_path, "async def healthy(self):\n    return False")

    with pytest.raises(NotReady, match="Model with name classifier is not ready"):
        servable.health()


def test_tensor_types_are_metadata(tmp_path: Path) -> None:
    body = """
async def get_input_types(self):
    return [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
def get_output_types(self):
    return [{"name": "y", "datatype": "INT64", "shape": [-1]}]
"""
    servable = model(tmp_path, body)

    assert (servable.inputs[0].name, servable.inputs[0].shape) == ("x", (-1, 4))
    assert servable.metadata()["outputs"] == [{"name": "y", "datatype": "INT64", "shape": [-1]}]


def test_text_and_streams_are_bodies_as_they_are(tmp_path: Path) -> None:
    body = """
async def predict(self, payload, headers=None):
    async def pieces():
        yield "a"
        yield "b"
    return pieces()
"""
    assert model(tmp_path, body).invoke(Method.PREDICT, v1({})).payload.value == "ab"


def test_a_dict_answers_a_request_of_tensors_too(tmp_path: Path) -> None:
    servable = model(
        tmp_path, "def predict(self, payload, headers=None):\n    return {'predictions': [1.5]}", protocol=Protocol.V2
    )

    assert listed(servable.invoke(Method.PREDICT, tensors(x=[1]))) == {"output-0": [1.5]}


def test_an_installed_kserve_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site"
    (installed / "kserve").mkdir(parents=True)
    (installed / "kserve" / "protocol").mkdir()
    (installed / "kserve" / "protocol" / "infer_type.py").write_text("")
    (installed / "kserve" / "__init__.py").write_text(
        "class Model:\n    real = True\n    def __init__(self, name):\n        self.name, self.ready = name, True\n"
        "    def preprocess(self, payload, headers=None): return payload\n    postprocess = explain = preprocess\n"
        "    async def healthy(self): return True\n"
    )
    monkeypatch.syspath_prepend(str(installed))
    source = "from kserve import Model\nclass Mine(Model):\n    def predict(self, payload, headers=None):\n"
    code = write(tmp_path / "code", "Mine", source + "        return {'predictions': [self.real]}\n")

    servable = registry.load(context(unit(code=code)))

    assert servable.invoke(Method.PREDICT, asking([[1]])).payload.value.tolist() == [True]


class _Predictor(http.server.BaseHTTPRequestHandler):
    """Answers as a predictor would, with what it was asked."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seen = [self.path, self.headers.get("X-Request-Id"), self.headers.get("X-Secret")]
        if "ghost" in self.path:
            self._send(404, {"error": "Model with name ghost does not exist."})
        elif self.path.startswith("/v1/"):
            self._send(200, {"predictions": [asked, seen]})
        else:
            self._send(200, {"model_name": "m", "outputs": [dict(asked["inputs"][0], name="y")]})

    def _send(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on the test's output."""


@pytest.fixture
def predictor() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Predictor)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


TRANSFORMER = """
from kserve import Model
class Transformer(Model):
    def __init__(self, name, predictor_host, predictor_protocol="v1"):
        super().__init__(name)
        self.ready = True
    def preprocess(self, payload, headers=None):
        if isinstance(payload, dict):
            payload["instances"] = [n + 1 for n in payload["instances"]]
        return payload
"""


def transformer(folder: Path, host: str, name: str = "iris", **parameters: Any) -> Servable:
    code = write(folder, "Transformer", TRANSFORMER)
    return load(unit(code=code, name=name, predictor_host=host, **parameters), protocol=Protocol.V1)


def test_a_transformer_asks_its_predictor(tmp_path: Path, predictor: str) -> None:
    message = v1({"instances": [1]}, (b"x-request-id", b"7"), (b"x-secret", b"s"))

    answer = transformer(tmp_path, predictor).invoke(Method.PREDICT, message)

    assert answer.raw == {"predictions": [{"instances": [2]}, ["/v1/models/iris:predict", "7", None]]}


def test_a_transformer_asks_its_predictor_with_tensors(tmp_path: Path, predictor: str) -> None:
    servable = transformer(tmp_path, predictor, predictor_protocol="v2")

    assert listed(servable.invoke(Method.PREDICT, tensors(x=[1.5, 2.5]))) == {"y": [1.5, 2.5]}


def test_a_transformer_may_name_its_predictor_itself(tmp_path: Path, predictor: str) -> None:
    source = TRANSFORMER.replace("super().__init__(name)", "super().__init__(name, PredictorConfig(predictor_host))")
    code = write(
        tmp_path, "Mine", source.replace("Transformer", "Mine").replace("Model\n", "Model, PredictorConfig\n", 1)
    )
    servable = load(unit(code=code, name="iris", predictor_host=predictor), protocol=Protocol.V1)

    assert servable.invoke(Method.PREDICT, v1({"instances": [1]})).raw is not None


def test_a_predictors_refusal_keeps_its_status_and_words(tmp_path: Path, predictor: str) -> None:
    with pytest.raises(Refused, match=r"^Model with name ghost does not exist\.$") as refused:
        transformer(tmp_path, predictor, name="ghost").invoke(Method.PREDICT, v1({"instances": [1]}))

    assert refused.value.http == 404


def test_a_predictor_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"^ConnectError : All connection attempts failed"):
        transformer(tmp_path, "127.0.0.1:1").invoke(Method.PREDICT, v1({"instances": [1]}))


@pytest.mark.parametrize(
    ("instances", "kind", "value"),
    [
        (["a", "b"], "list", ["a", "b"]),
        ([[1, 2]], "ndarray", [[1, 2]]),
        ([{"a": 1, "b": 2}, {"a": [3], "b": [4]}], "DataFrame", [[1, 2], [3, 4]]),
    ],
)
def test_what_a_request_asks_about_has_the_kind_of_its_instances(
    tmp_path: Path, instances: list[Any], kind: str, value: list[Any]
) -> None:
    pytest.importorskip("pandas", reason="not run: pandas is not installed")
    body = """
def predict(self, payload, headers=None):
    given = get_predict_input(payload)
    listed = given if isinstance(given, list) else given.to_numpy() if hasattr(given, "to_numpy") else given
    return {"predictions": [type(given).__name__, listed if isinstance(listed, list) else listed.tolist()]}
"""
    servable = model(tmp_path, body, head="from kserve.utils.utils import get_predict_input")

    assert servable.invoke(Method.PREDICT, v1({"instances": instances})).raw == {"predictions": [kind, value]}


def test_texts_of_tensors_are_a_list(tmp_path: Path) -> None:
    head = "from kserve.utils.utils import get_predict_input, get_predict_response"
    body = "def predict(self, payload, headers=None):\n"
    body += "    return get_predict_response(payload, [one.upper() for one in get_predict_input(payload)], self.name)"

    message = model(tmp_path, body, head=head, protocol=Protocol.V2).invoke(Method.PREDICT, tensors(x=["a", "b"]))

    assert listed(message) == {"output-0": [b"A", b"B"]}


def test_how_long_each_hook_took_is_told_in_their_order(tmp_path: Path) -> None:
    found = doubler(tmp_path, Protocol.V1)
    told: list[tuple[str, float]] = []
    found.hook_ran = lambda hook, seconds: told.append((hook, seconds))  # type: ignore[attr-defined]  # KServe's have it

    found.invoke(Method.PREDICT, v1({"instances": [[1, 2]]}))

    assert [hook for hook, _ in told] == ["preprocess", "predict", "postprocess"]
    assert all(seconds > 0 for _, seconds in told)


def test_a_step_that_comes_last_gets_the_answer_of_another_as_predictions(tmp_path: Path) -> None:
    servable = model(
        tmp_path,
        """
def postprocess(self, result, headers=None):
    return {"predictions": [row * 10 for row in result["predictions"]]}
""",
    )

    answer = servable.invoke(Method.TRANSFORM_OUTPUT, asking([1, 2]))

    assert answer.raw == {"predictions": [10, 20]}


def test_a_step_that_comes_last_gets_tensors_as_a_response(tmp_path: Path) -> None:
    servable = model(
        tmp_path,
        """
def postprocess(self, result, headers=None):
    output = result.outputs[0]
    output.set_data_from_numpy(output.as_numpy() * 10, binary_data=False)
    return result
""",
        protocol=Protocol.V2,
    )

    answer = servable.invoke(Method.TRANSFORM_OUTPUT, tensors(predict=np.array([1, 2])))

    assert [(one.name, one.array.tolist()) for one in answer.payload.value] == [("predict", [10, 20])]


def test_flags_of_the_sdks_programs_are_no_arguments_of_a_class(tmp_path: Path) -> None:
    target = unit(code=write(tmp_path, "Doubler", DOUBLER), factor=3, predictor_protocol="v2", workers="1")

    answer = load(target, protocol=Protocol.V1).invoke(Method.PREDICT, v1({"instances": [[1, 2]]}))

    assert answer.raw == {"predictions": [[3, 6]]}


def test_a_predictor_of_ours_is_asked_through_the_socket_and_any_other_at_its_address(
    tmp_path: Path, predictor: str
) -> None:
    code = write(tmp_path, "Transformer", TRANSFORMER)
    with tempfile.TemporaryDirectory(prefix="fl-") as folder, serving_at(Path(folder) / "in") as inside:
        for upstream in (Upstream(host="iris-predictor.default", is_inside=True), Upstream(host=predictor)):
            of = replace(unit(code=code, name="iris", predictor_host=upstream.host), upstream=upstream)
            servable = registry.load(LoadContext(unit=of, folder=None, inside=inside, protocol=Protocol.V1))
            answer = servable.invoke(Method.PREDICT, v1({"instances": [1]}))

            assert answer.raw is not None
            assert answer.raw["predictions"][0] == {"instances": [2]}


@contextmanager
def serving_at(path: Path) -> Iterator[str]:
    server = UnixHTTPServer(path, _Predictor)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield str(path)
    server.shutdown()
    server.server_close()
    thread.join()
