"""`seldon.protos` over real connections: graphs, bare units, metadata, feedback, failures."""

from typing import Any

import pytest

from fairlead.plan.model import Branch, Chain, Feedback, Method, Node, UnitName
from fairlead.protocols import protos
from fairlead.runtimes.component import Component
from fairlead.runtimes.failures import BadData
from fairlead.runtimes.seldon_shim.flask_utils import SeldonMicroserviceException
from support.grpc_calls import Failed, calling
from support.serving import Fake, Times, call, unit, worker_spec

pytestmark = pytest.mark.anyio

MESSAGE = "seldon.protos.SeldonMessage"
PREDICT = "/seldon.protos.Seldon/Predict"
TENSOR = {"data": {"names": ["a", "b"], "tensor": {"shape": [1, 2], "values": [1, 2]}}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def component(target: object, **env: str) -> Component:
    return Component(target, unit("m"), env=env)


class Doubling:
    def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
        return X * 2


async def test_a_tensor_comes_back_as_a_tensor_with_its_names_path_and_routing() -> None:
    async with calling(worker_spec([unit("m")], call("m")), m=component(Doubling())) as ask:
        answer = await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)

    assert list(answer.data.tensor.values) == [2, 4]
    assert list(answer.data.tensor.shape) == [1, 2]
    assert list(answer.data.names) == ["t:0", "t:1"]
    assert dict(answer.meta.requestPath) == {"m": "image:1"}
    assert dict(answer.meta.routing) == {"m": -1}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"strData": "text"}, "strData"),
        ({"binData": b"\x00\xff"}, "binData"),
        ({"customData": {"type_url": "a/b.C", "value": b"x"}}, "customData"),
        ({"data": {"tftensor": {"dtype": 1, "tensor_shape": {"dim": [{"size": 1}]}, "float_val": [1.5]}}}, "data"),
    ],
)
async def test_every_kind_of_data_goes_through_a_model_that_gives_it_back(fields: Any, kind: str) -> None:
    class Same:
        def predict(self, X: Any, names: Any) -> Any:
            return X

    async with calling(worker_spec([unit("m")], call("m")), m=component(Same())) as ask:
        answer = await ask(PREDICT, MESSAGE, MESSAGE, fields)

    asked = protos.message(MESSAGE)(**fields)
    if kind == "data":
        assert answer.data.WhichOneof("data_oneof") == "tftensor"
        assert answer.data.tftensor.tensor_content == b"\x00\x00\xc0?"
    else:
        assert getattr(answer, kind) == getattr(asked, kind)


async def test_json_data_is_a_python_value_whose_numbers_are_floats() -> None:
    seen = []

    class Looking:
        def predict(self, X: Any, names: Any) -> Any:
            seen.append(X)
            return {"n": 3, "list": [None, True, "x"]}

    asked = protos.message(MESSAGE)()
    asked.jsonData.struct_value.update({"a": [1, {"b": None}]})
    async with calling(worker_spec([unit("m")], call("m")), m=component(Looking())) as ask:
        answer = await ask(PREDICT, MESSAGE, MESSAGE, asked)

    assert seen == [{"a": [1.0, {"b": None}]}]
    assert answer.jsonData.struct_value["n"] == 3.0
    assert list(answer.jsonData.struct_value["list"]) == [None, True, "x"]


async def test_the_puid_is_sent_back_or_made_and_metadata_stays_metadata() -> None:
    async with calling(worker_spec([unit("m")], call("m")), m=Fake("m")) as ask:
        await ask(PREDICT, MESSAGE, MESSAGE, TENSOR, {"seldon-puid": "mine"})
        given = ask.headers["seldon-puid"]
        await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)

    assert given == "mine"
    assert len(ask.headers["seldon-puid"]) == 36


async def test_tags_metrics_and_request_path_travel_through_a_graph() -> None:
    class Tagging:
        def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
            return X

        def tags(self) -> Any:
            return {"own": [1, "x"]}

        def metrics(self) -> Any:
            return [{"type": "GAUGE", "key": "g", "value": 2.5, "tags": {"t": "1"}}]

    meta = {"puid": "p", "tags": {"given": {"bool_value": True}}, "requestPath": {"before": "image:0"}}
    async with calling(worker_spec([unit("m")], call("m")), m=component(Tagging())) as ask:
        answer = await ask(PREDICT, MESSAGE, MESSAGE, {**TENSOR, "meta": meta})

    assert answer.meta.puid == "p"
    assert answer.meta.tags["given"].bool_value
    assert list(answer.meta.tags["own"].list_value) == [1.0, "x"]
    assert dict(answer.meta.requestPath) == {"before": "image:0", "m": "image:1"}
    [metric] = answer.meta.metrics
    assert (metric.key, metric.type, metric.value, dict(metric.tags)) == ("g", 1, 2.5, {"t": "1"})


async def test_a_router_sends_feedback_where_the_answer_came_from() -> None:
    units = [unit("r"), unit("a"), unit("b")]
    root = Branch(name=UnitName("r"), choices=(call("a"), call("b")), route=UnitName("r"))
    takes = Feedback(
        unit=UnitName("r"),
        accepts=True,
        children=(Feedback(unit=UnitName("a"), accepts=True), Feedback(unit=UnitName("b"), accepts=True)),
    )
    router, a, b = Fake("r", route=lambda value: [[1]]), Fake("a"), Fake("b")
    async with calling(worker_spec(units, root, feedback=takes), r=router, a=a, b=b) as ask:
        answer = await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)
        await ask(
            "/seldon.protos.Seldon/SendFeedback",
            "seldon.protos.Feedback",
            MESSAGE,
            {"request": TENSOR, "response": answer, "reward": 0.5},
        )

    assert dict(answer.meta.routing) == {"r": 1, "b": -1}
    assert ("feedback", 0.5) in b.asked
    assert ("feedback", 0.5) in router.asked
    assert ("feedback", 0.5) not in a.asked


async def test_graph_and_model_metadata_say_what_rest_says() -> None:
    spec = worker_spec([unit("m")], call("m"), drawing=Node(unit=UnitName("m"), kind="model"), feedback=None)
    info = {
        "name": "iris",
        "versions": ["1"],
        "platform": "sk",
        "inputs": [{"messagetype": "tensor", "schema": {"names": ["a"], "shape": [1]}}],
        "outputs": [{"name": "out", "datatype": "FP32", "shape": [-1, 3]}],
        "custom": {"owner": "me"},
    }
    async with calling(spec, m=Fake("m", info=info)) as ask:
        graph = await ask(
            "/seldon.protos.Seldon/GraphMetadata", "google.protobuf.Empty", "seldon.protos.SeldonGraphMetadata"
        )
        one = await ask(
            "/seldon.protos.Seldon/ModelMetadata",
            "seldon.protos.SeldonModelMetadataRequest",
            "seldon.protos.SeldonModelMetadata",
            {"name": "m"},
        )
        with pytest.raises(Failed) as unknown:
            await ask(
                "/seldon.protos.Seldon/ModelMetadata",
                "seldon.protos.SeldonModelMetadataRequest",
                "seldon.protos.SeldonModelMetadata",
                {"name": "zzz"},
            )

    assert graph.name == "main"
    assert graph.models["m"] == one
    assert graph.outputs[0].shape == [-1, 3]
    assert (one.name, list(one.versions), one.platform, dict(one.custom)) == ("iris", ["1"], "sk", {"owner": "me"})
    assert one.inputs[0].schema.struct_value["names"][0] == "a"
    assert (unknown.value.code, unknown.value.words) == ("NOT_FOUND", "Failed to find model zzz")


@pytest.mark.parametrize(
    ("path", "request_name", "fields", "expected"),
    [
        ("Model/Predict", MESSAGE, {"strData": "x"}, "predict"),
        ("Transformer/TransformInput", MESSAGE, {"strData": "x"}, "transform_input"),
        ("Generic/TransformInput", MESSAGE, {"strData": "x"}, "transform_input"),
        ("OutputTransformer/TransformOutput", MESSAGE, {"strData": "x"}, "transform_output"),
        ("Combiner/Aggregate", "seldon.protos.SeldonMessageList", {"seldonMessages": [{"strData": "x"}]}, "aggregate"),
        ("Generic/Aggregate", "seldon.protos.SeldonMessageList", {"seldonMessages": [{"strData": "x"}]}, "aggregate"),
        ("Seldon/Predict", MESSAGE, {"strData": "x"}, "predict"),
    ],
)
async def test_a_bare_unit_answers_the_service_of_every_method(
    path: str, request_name: str, fields: Any, expected: str
) -> None:
    class Unit:
        def predict(self, X: Any, names: Any) -> Any:
            return "predict"

        def transform_input(self, X: Any, names: Any) -> Any:
            return "transform_input"

        def transform_output(self, X: Any, names: Any) -> Any:
            return "transform_output"

        def aggregate(self, Xs: Any, names: Any) -> Any:
            return "aggregate"

    async with calling(worker_spec([unit("m")], call("m"), single_unit=True), m=component(Unit())) as ask:
        answer = await ask(f"/seldon.protos.{path}", request_name, MESSAGE, fields)

    assert answer.strData == expected
    assert not answer.meta.routing


async def test_a_bare_router_gives_its_branch_as_an_array() -> None:
    class Router:
        def route(self, X: Any, names: Any) -> int:
            return 2

    async with calling(worker_spec([unit("m")], call("m"), single_unit=True), m=component(Router())) as ask:
        answer = await ask("/seldon.protos.Router/Route", MESSAGE, MESSAGE, TENSOR)

    assert (list(answer.data.tensor.shape), list(answer.data.tensor.values)) == ([1, 1], [2])


async def test_a_bare_unit_has_no_graph_metadata() -> None:
    async with calling(worker_spec([unit("m")], call("m"), single_unit=True), m=Fake("m")) as ask:
        with pytest.raises(Failed) as failed:
            await ask("/seldon.protos.Seldon/GraphMetadata", "google.protobuf.Empty", MESSAGE)

    assert failed.value.code == "UNKNOWN"
    assert failed.value.words == "Exception calling application: GraphMetadata not available on the Model level."


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ValueError("X has 5 features"), "UNKNOWN", "Exception calling application: X has 5 features"),
        (SeldonMicroserviceException("no, naïve % one", status_code=402), "INVALID_ARGUMENT", "no, naïve % one"),
        (BadData("bad"), "INVALID_ARGUMENT", "bad"),
    ],
)
async def test_a_units_exception_has_the_code_and_words_clients_know(error: Exception, code: str, words: str) -> None:
    class Raising:
        def predict(self, X: Any, names: Any) -> Any:
            raise error

    async with calling(worker_spec([unit("m")], call("m")), m=component(Raising())) as ask:
        with pytest.raises(Failed) as failed:
            await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)

    assert (failed.value.code, failed.value.words) == (code, words)
    assert failed.value.trailers["fairlead-unit"] == "m"


async def test_none_as_an_answer_is_the_models_fault_in_known_words() -> None:
    class Nothing:
        def predict(self, X: Any, names: Any) -> Any:
            return None

    async with calling(worker_spec([unit("m")], call("m")), m=component(Nothing())) as ask:
        with pytest.raises(Failed, match="Unknown data type returned as payload"):
            await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)


async def test_a_message_that_cannot_be_read_is_an_invalid_argument() -> None:
    async with calling(worker_spec([unit("m")], call("m")), m=Fake("m")) as ask:
        with pytest.raises(Failed) as failed:
            await ask(PREDICT, MESSAGE, MESSAGE, b"\xff\xff\xff")

    assert failed.value.code == "INVALID_ARGUMENT"
    assert "cannot be read as seldon.protos.SeldonMessage" in failed.value.words


async def test_the_annotation_limits_a_message() -> None:
    spec = worker_spec([unit("m")], call("m"), annotations=(("seldon.io/grpc-max-message-size", "64"),))
    async with calling(spec, m=Fake("m")) as ask:
        await ask(PREDICT, MESSAGE, MESSAGE, {"strData": "x" * 50})
        with pytest.raises(Failed) as failed:
            await ask(PREDICT, MESSAGE, MESSAGE, {"strData": "x" * 100})

    assert failed.value.code == "RESOURCE_EXHAUSTED"
    assert "64 bytes" in failed.value.words


async def test_a_compressed_message_is_read() -> None:
    import grpc

    async with calling(worker_spec([unit("m")], call("m")), m=Fake("m")) as ask:
        answer = await ask(PREDICT, MESSAGE, MESSAGE, {"strData": "x" * 5000}, compression=grpc.Compression.Gzip)

    assert answer.strData == "x" * 5000


async def test_what_is_not_served_says_what_is() -> None:
    units, root = [unit("a"), unit("b")], Chain(steps=(call("a"), call("b")))
    async with calling(worker_spec(units, root), a=Fake("a"), b=Fake("b")) as ask:
        with pytest.raises(Failed, match=r"UNIMPLEMENTED: there is no service seldon\.protos\.Model here"):
            await ask("/seldon.protos.Model/Predict", MESSAGE, MESSAGE, TENSOR)
        with pytest.raises(Failed, match=r"UNIMPLEMENTED: .*Seldon has no method Predikt.* it has .*Predict"):
            await ask("/seldon.protos.Seldon/Predikt", MESSAGE, MESSAGE, TENSOR)


async def test_calls_are_counted_by_full_method_and_code() -> None:
    async with calling(worker_spec([unit("m")], call("m")), m=Fake("m", rows=Times())) as ask:
        await ask(PREDICT, MESSAGE, MESSAGE, TENSOR)
        with pytest.raises(Failed):
            await ask(PREDICT, MESSAGE, MESSAGE, b"\xff")
        text = ask.served.meters.render().decode()

    assert 'code="OK"' in text
    assert 'code="INVALID_ARGUMENT"' in text
    assert 'service="/seldon.protos.Seldon/Predict"' in text
    assert 'method="unary"' in text


async def test_a_raw_method_gets_and_gives_messages_after_a_unit_that_gives_arrays() -> None:
    class Raw:
        def transform_output_raw(self, message: Any) -> Any:
            message.data.tensor.values[0] += 100
            message.meta.metrics.add(key="seen", type=0, value=1)
            return message

    units = [unit("m"), unit("raw")]
    root = Chain(steps=(call("m"), call("raw", Method.TRANSFORM_OUTPUT)))
    raw = Component(Raw(), unit("raw"), env={})
    async with calling(worker_spec(units, root), m=component(Doubling()), raw=raw) as ask:
        answers = [await ask(PREDICT, MESSAGE, MESSAGE, TENSOR) for _ in range(4)]
        text = ask.served.meters.render().decode()

    assert [list(one.data.tensor.values) for one in answers] == [[102, 4]] * 4
    assert answers[0].meta.metrics[0].key == "seen"
    assert dict(answers[0].meta.routing) == {"m": -1}
    assert "seen_total" in text
