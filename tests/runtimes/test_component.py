import json
from typing import Any

import numpy as np
import pytest

from fairlead.plan.model import Method
from fairlead.protocols.message import Form, Message, Meta, Payload, Reward
from fairlead.protocols.seldon_v1 import encode
from fairlead.runtimes.component import Component
from fairlead.runtimes.failures import BadData, BadMetadata, BadMetric, CodeFailed, Refused
from fairlead.runtimes.seldon_shim.flask_utils import SeldonMicroserviceException
from fairlead.runtimes.seldon_shim.user_model import SeldonComponent, SeldonNotImplementedError, SeldonResponse
from support.units import asking, unit

IMAGE = "registry:5000/team/model:1.2"


def component(target: object, *, image: str = IMAGE, **env: str) -> Component:
    return Component(target, unit(name="node", image=image), env=env)


def predict(target: object, message: Message | None = None, **env: str) -> Message:
    return component(target, **env).invoke(Method.PREDICT, message or asking([[1, 2]]))


def values(message: Message) -> Any:
    return message.payload.value.tolist()


class Doubling:
    def predict(self, X: Any, names: Any) -> Any:
        return X * 2


# --- what a method is given -------------------------------------------------------------------------------------


def test_predict_gets_x_names_and_meta() -> None:
    class Recording:
        def predict(self, X: Any, names: Any, meta: Any) -> Any:
            self.given = (X.tolist(), names, meta)
            return X

    target = Recording()

    predict(target, asking([[1, 2]], names=["a", "b"], puid="p"))

    assert target.given == ([[1, 2]], ["a", "b"], {"puid": "p"})


def test_a_method_without_meta_is_called_without_it() -> None:
    assert values(predict(Doubling())) == [[2, 4]]


def test_a_method_with_keywords_gets_meta() -> None:
    class Keywords:
        def predict(self, X: Any, names: Any, **extra: Any) -> Any:
            return sorted(extra)

    assert values(predict(Keywords())) == ["meta"]


def test_a_type_error_from_inside_is_an_error_and_not_called_again() -> None:
    class Failing:
        calls = 0

        def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
            self.calls += 1
            return X + None

    target = Failing()

    with pytest.raises(CodeFailed, match="unsupported operand"):
        predict(target)
    assert target.calls == 1


def test_a_decorated_method_whose_signature_lies_is_called_without_meta() -> None:
    class Decorated:
        def __init__(self) -> None:
            def plain(X: Any, names: Any) -> Any:
                return X * 3

            self.predict = lambda *args, **kwargs: plain(*args, **kwargs)

    unit_ = component(Decorated())

    assert values(unit_.invoke(Method.PREDICT, asking([[1]]))) == [[3]]
    assert values(unit_.invoke(Method.PREDICT, asking([[2]]))) == [[6]]


@pytest.mark.parametrize(
    ("form", "value"),
    [(Form.JSON, {"a": [1]}), (Form.STRING, "text"), (Form.BINARY, b"bytes"), (Form.JSON, [1, {"b": 2}])],
)
def test_other_kinds_of_payload_reach_the_method_as_python_values(form: Form, value: Any) -> None:
    class Recording:
        def predict(self, X: Any, names: Any) -> Any:
            self.given = X
            return "ok"

    target = Recording()

    predict(target, asking(value, form))

    assert target.given == value


@pytest.mark.parametrize("form", [Form.NDARRAY, Form.TENSOR, Form.TFTENSOR, Form.EMPTY_DATA])
@pytest.mark.parametrize("value", [[[1, 2]], [1.5], [["a"]], [[[1]]]])
@pytest.mark.parametrize("method", [Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT])
def test_a_unit_that_reports_nothing_answers_as_one_that_reports_nothing_new(
    form: Form, value: Any, method: Method
) -> None:
    class Silent:
        def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
            return X

        transform_input = transform_output = predict

        def class_names(self) -> list[str]:
            return ["one"]

    class Reporting(Silent):
        def tags(self) -> dict[str, Any]:
            return {}

    message = asking(value, form, names=["a"], puid="p", tags={"t": 1}, request_path={"other": "image"})

    quick, plain = (component(target).invoke(method, message) for target in (Silent(), Reporting()))

    assert encode(quick) == encode(plain)
    assert (quick.payload.form, quick.own_metrics) == (plain.payload.form, [])


# --- which method answers ---------------------------------------------------------------------------------------


def test_a_raw_method_goes_first_and_its_answer_is_sent_as_it_is() -> None:
    class Raw(Doubling):
        def predict_raw(self, msg: Any) -> Any:
            self.given = msg
            return {"data": {"ndarray": [[7]]}, "extra": True}

    target = Raw()
    message = asking([[1, 2]], names=["a", "b"], puid="p")

    answer = predict(target, message)

    assert target.given == {"data": {"names": ["a", "b"], "ndarray": [[1, 2]]}, "meta": {"puid": "p"}}
    assert answer.raw == {"data": {"ndarray": [[7]]}, "extra": True}
    assert values(answer) == [[7]]
    assert answer.meta.request_path == {}


def test_the_deprecated_rest_method_goes_before_the_raw_one() -> None:
    class Rest:
        def predict_rest(self, msg: Any) -> Any:
            return {"strData": "rest"}

        def predict_raw(self, msg: Any) -> Any:
            return {"strData": "raw"}

    assert predict(Rest()).payload == Payload(Form.STRING, "rest")


def test_a_raw_method_that_is_not_implemented_falls_through() -> None:
    class Falling(Doubling):
        def predict_raw(self, msg: Any) -> Any:
            raise SeldonNotImplementedError("no")

    assert values(predict(Falling())) == [[2, 4]]


def test_a_raw_method_may_write_into_its_message() -> None:
    class Writing:
        def predict_raw(self, msg: Any) -> Any:
            msg["data"]["ndarray"][0][0] = 9
            return msg

    message = asking([[1]])
    message.raw = {"data": {"ndarray": [[1]]}}

    answer = predict(Writing(), message)

    assert values(answer) == [[9]]
    assert message.raw == {"data": {"ndarray": [[1]]}}


@pytest.mark.parametrize(("status", "http"), [({"code": 418}, 418), ({"code": -1}, 200), ({}, 200)])
def test_a_raw_predict_decides_the_http_status(status: dict[str, Any], http: int) -> None:
    class Status:
        def predict_raw(self, msg: Any) -> Any:
            return {"status": status, "strData": "x"}

    assert predict(Status()).http_status == http


def test_a_raw_answer_may_have_no_payload() -> None:
    class StatusOnly:
        def predict_raw(self, msg: Any) -> Any:
            return {"status": {"code": 503, "info": "later"}}

    answer = predict(StatusOnly())

    assert answer.raw == {"status": {"code": 503, "info": "later"}}
    assert answer.payload.form is Form.NONE


def test_a_raw_method_that_returns_no_dict_is_refused() -> None:
    class Wrong:
        def predict_raw(self, msg: Any) -> Any:
            return 3

    with pytest.raises(BadData, match="must return a dict"):
        predict(Wrong())


def test_metrics_of_a_raw_answer_are_reported_and_may_be_hidden() -> None:
    metric = {"type": "COUNTER", "key": "k", "value": 1}

    class Raw:
        def predict_raw(self, msg: Any) -> Any:
            return {"strData": "x", "meta": {"metrics": [metric], "puid": "p"}}

    hidden = predict(Raw(), INCLUDE_METRICS_IN_CLIENT_RESPONSE="false")

    assert predict(Raw()).own_metrics == hidden.own_metrics == [metric]
    assert hidden.raw == {"strData": "x", "meta": {"puid": "p"}}


def test_the_base_class_implements_nothing() -> None:
    class Only(SeldonComponent):
        def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
            return X

    assert component(Only()).methods == {Method.PREDICT}
    assert component(SeldonComponent()).methods == frozenset()


def test_a_method_set_on_the_object_counts() -> None:
    class Late(SeldonComponent):
        def __init__(self) -> None:
            vars(self)["predict"] = lambda X, names: X * 5

    assert values(predict(Late())) == [[5, 10]]


def test_an_absent_predict_answers_an_empty_array() -> None:
    answer = predict(object())

    assert (answer.payload.form, values(answer), answer.payload.names) == (Form.NDARRAY, [], [])


@pytest.mark.parametrize("method", [Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT])
def test_an_absent_transform_passes_the_message_through(method: Method) -> None:
    answer = component(object()).invoke(method, asking([[1, 2]]))

    assert values(answer) == [[1, 2]]


def test_transforms_are_called() -> None:
    class Both:
        def transform_input(self, X: Any, names: Any, meta: Any) -> Any:
            return X + 1

        def transform_output(self, X: Any, names: Any) -> Any:
            return X - 1

    unit_ = component(Both())

    assert values(unit_.invoke(Method.TRANSFORM_INPUT, asking([[1]]))) == [[2]]
    assert values(unit_.invoke(Method.TRANSFORM_OUTPUT, asking([[1]]))) == [[0]]
    assert unit_.methods == {Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT}


# --- route ------------------------------------------------------------------------------------------------------


def routing_to(branch: Any) -> Component:
    class Router:
        def route(self, features: Any, names: Any) -> Any:
            return branch

    return component(Router())


@pytest.mark.parametrize("branch", [1, -1, np.int64(2), SeldonResponse(3)])
def test_a_branch_travels_as_an_array_of_one(branch: Any) -> None:
    expected = branch.data if isinstance(branch, SeldonResponse) else int(branch)

    answer = routing_to(branch).invoke(Method.ROUTE, asking([[1.0]]))

    assert (answer.payload.form, values(answer)) == (Form.NDARRAY, [[expected]])


def test_a_branch_for_a_tensor_request_is_a_tensor() -> None:
    assert routing_to(1).invoke(Method.ROUTE, asking([[1.0]], Form.TENSOR)).payload.form is Form.TENSOR


@pytest.mark.parametrize("branch", ["1", 1.0, None, [1]])
def test_a_branch_that_is_no_integer_is_refused(branch: Any) -> None:
    with pytest.raises(BadData) as refused:
        routing_to(branch).invoke(Method.ROUTE, asking([[1.0]]))

    assert str(refused.value) == f"Routing response must be int but got {branch}"


def test_a_unit_without_route_says_so() -> None:
    with pytest.raises(BadData, match=r"^Route not defined$"):
        component(Doubling()).invoke(Method.ROUTE, asking([[1]]))


# --- aggregate --------------------------------------------------------------------------------------------------


class Summing:
    def aggregate(self, features: Any, names: Any) -> Any:
        self.names = names
        return sum(features)


def test_aggregate_follows_the_first_and_collects_the_meta_of_all() -> None:
    target = Summing()
    first = asking([[1, 2]], Form.TENSOR, names=["a", "b"], puid="p", tags={"x": 1}, request_path={"m1": "i1"})
    second = asking([[3, 4]], tags={"x": 2, "y": 2}, request_path={"m2": "i2"})

    answer = component(target).aggregate([first, second])

    assert (answer.payload.form, values(answer)) == (Form.TENSOR, [[4, 6]])
    assert target.names == [["a", "b"], []]
    assert answer.meta == Meta(puid="p", tags={"x": 2, "y": 2}, request_path={"node": IMAGE, "m1": "i1", "m2": "i2"})


def test_aggregate_raw_gets_the_list() -> None:
    class Raw:
        def aggregate_raw(self, msgs: Any) -> Any:
            return msgs["seldonMessages"][1]

    answer = component(Raw()).aggregate([asking("a", Form.STRING), asking("b", Form.STRING)])

    assert answer.payload == Payload(Form.STRING, "b")


def test_a_unit_without_aggregate_says_so() -> None:
    with pytest.raises(BadData, match=r"^Aggregate not defined$"):
        component(Doubling()).aggregate([asking([[1]])])


# --- feedback ---------------------------------------------------------------------------------------------------


class Learning:
    def send_feedback(self, X: Any, names: Any, reward: Any, truth: Any, routing: Any = None) -> Any:
        self.given = (X.tolist(), names, reward, truth.tolist(), routing)


def rewarding(request: Message | None, *, routing: dict[str, int] | None = None) -> Reward:
    response = asking([[0]], routing=routing or {})
    return Reward(request, response, asking([[9]]), 0.5, raw={"reward": 0.5})


def test_feedback_gets_features_reward_truth_and_its_own_routing() -> None:
    target = Learning()

    answer = component(target).feedback(
        rewarding(asking([[1, 2]], names=["a", "b"], puid="p"), routing={"node": 1, "other": 0})
    )

    assert target.given == ([[1, 2]], ["a", "b"], 0.5, [[9]], 1)
    assert (answer.payload.form, values(answer), answer.meta.puid) == (Form.NDARRAY, [], "p")


def test_feedback_on_text_gets_an_empty_array_and_no_routing() -> None:
    target = Learning()

    component(target).feedback(rewarding(asking("text", Form.STRING)))

    assert target.given == ([], [], 0.5, [[9]], None)


def test_feedback_without_its_parts_still_reaches_the_unit() -> None:
    target = Learning()

    component(target).feedback(Reward(None, None, None, 1.0, raw={"reward": 1.0}))

    assert target.given == ([], [], 1.0, [], None)


def test_a_send_feedback_without_routing_fails_by_name() -> None:
    class Old:
        def send_feedback(self, X: Any, names: Any, reward: Any, truth: Any) -> None:
            pass

    with pytest.raises(CodeFailed, match="routing"):
        component(Old()).feedback(rewarding(asking([[1]])))


def test_feedback_to_a_unit_that_takes_none_is_answered() -> None:
    assert values(component(Doubling()).feedback(rewarding(asking([[1]])))) == []


def test_feedback_raw_gets_the_whole_object() -> None:
    class Raw:
        def send_feedback_raw(self, feedback: Any) -> Any:
            return {"strData": str(feedback["reward"])}

    assert component(Raw()).feedback(rewarding(asking([[1]]))).payload.value == "0.5"


# --- tags, metrics, request path --------------------------------------------------------------------------------


class Telling:
    def predict(self, X: Any, names: Any) -> Any:
        return SeldonResponse(
            X, tags={"t": "runtime", "r": 1}, metrics=[{"type": "GAUGE", "key": "g", "value": np.float32(0.5)}]
        )

    def tags(self) -> Any:
        return {"t": "model", "m": 1}

    def metrics(self) -> Any:
        return [{"type": "COUNTER", "key": "c", "value": 1, "tags": {"a": "b"}}]


def test_tags_of_the_request_the_model_and_the_call_are_merged_in_this_order() -> None:
    answer = predict(Telling(), asking([[1]], tags={"t": "request", "q": 1}))

    assert answer.meta.tags == {"t": "runtime", "q": 1, "m": 1, "r": 1}


def test_metrics_are_added_to_those_that_arrived_and_reported() -> None:
    arrived = {"type": "TIMER", "key": "t", "value": 3.0}

    answer = predict(Telling(), asking([[1]], metrics=[arrived]))

    assert answer.own_metrics == [
        {"type": "COUNTER", "key": "c", "value": 1, "tags": {"a": "b"}},
        {"type": "GAUGE", "key": "g", "value": 0.5},
    ]
    assert answer.meta.metrics == [arrived, *answer.own_metrics]


def test_own_metrics_can_be_kept_from_clients() -> None:
    arrived = {"type": "TIMER", "key": "t", "value": 3.0}

    answer = predict(Telling(), asking([[1]], metrics=[arrived]), INCLUDE_METRICS_IN_CLIENT_RESPONSE="false")

    assert answer.meta.metrics == [arrived]
    assert len(answer.own_metrics) == 2


@pytest.mark.parametrize(
    "metrics",
    [
        {"key": "k"},
        ["x"],
        [{"key": "k", "value": 1, "type": "HISTOGRAM"}],
        [{"key": "k", "value": "1", "type": "GAUGE"}],
        [{"value": 1, "type": "GAUGE"}],
        [{"key": "k", "type": "GAUGE"}],
    ],
)
def test_a_bad_metric_fails_the_request_and_is_shown(metrics: Any) -> None:
    class Bad(Doubling):
        def metrics(self) -> Any:
            return metrics

    with pytest.raises(BadMetric) as failed:
        predict(Bad())

    assert str(failed.value) == f"Bad metric created during request: {json.dumps(metrics)}"
    assert (failed.value.http, failed.value.reason) == (500, "MICROSERVICE_BAD_METRIC")


def test_the_request_path_names_the_image_and_what_arrived_wins() -> None:
    answer = predict(Doubling(), asking([[1]], request_path={"before": "i", "node": "kept"}))

    assert answer.meta.request_path == {"node": "kept", "before": "i"}
    assert component(Doubling(), image="").invoke(Method.PREDICT, asking([[1]])).meta.request_path == {}


def test_class_names_come_from_a_method_or_an_attribute() -> None:
    class ByMethod(Doubling):
        def class_names(self) -> Any:
            return ["a", "b"]

    class ByAttribute(Doubling):
        class_names = np.array(["c", "d"])

    class ByBase(SeldonComponent):
        def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
            return X

    assert predict(ByMethod()).payload.names == ["a", "b"]
    assert predict(ByAttribute()).payload.names == ["c", "d"]
    assert predict(ByBase()).payload.names == ["t:0", "t:1"]


# --- health -----------------------------------------------------------------------------------------------------


def test_a_plain_class_is_healthy() -> None:
    answer = component(Doubling()).health()

    assert answer.payload == Payload(Form.STRING, "healthy")
    assert answer.meta.request_path == {"node": IMAGE}


def test_a_component_without_health_status_is_assumed_healthy() -> None:
    assert component(SeldonComponent()).health().payload.value == "not implemented - assuming healthy"


def test_a_health_status_is_encoded_like_an_answer_with_tags_and_metrics() -> None:
    class Checked(Telling):
        def health_status(self) -> Any:
            return [1, 2]

    answer = component(Checked()).health()

    assert (answer.payload.form, values(answer)) == (Form.TENSOR, [1, 2])
    assert answer.meta.tags == {"t": "model", "m": 1}
    assert len(answer.own_metrics) == 1


def test_a_raw_health_status_is_sent_as_it_is() -> None:
    class Raw:
        def health_status_raw(self) -> Any:
            return {"jsonData": {"ok": True}}

    assert component(Raw()).health().raw == {"jsonData": {"ok": True}}


def test_a_health_status_that_raises_is_a_failure() -> None:
    class Ill:
        def health_status(self) -> Any:
            raise RuntimeError("no database")

    with pytest.raises(CodeFailed, match=r"^no database$") as failed:
        component(Ill()).health()
    assert failed.value.http == 500


# --- errors -----------------------------------------------------------------------------------------------------


def test_any_exception_is_answered_with_its_text() -> None:
    class Failing:
        def predict(self, X: Any, names: Any) -> Any:
            raise ValueError("X has 5 features, expecting 4")

    with pytest.raises(CodeFailed) as failed:
        predict(Failing())

    assert str(failed.value) == "X has 5 features, expecting 4"
    assert (failed.value.http, failed.value.reason) == (500, "MICROSERVICE_INTERNAL_ERROR")
    assert isinstance(failed.value.__cause__, ValueError)


def test_a_refusal_keeps_its_status_and_reason() -> None:
    class Refusing:
        def predict(self, X: Any, names: Any) -> Any:
            raise SeldonMicroserviceException("quota", status_code=402, reason="NO_QUOTA")

    with pytest.raises(Refused) as refused:
        predict(Refusing())

    assert (str(refused.value), refused.value.http, refused.value.reason) == ("quota", 402, "NO_QUOTA")


def test_a_refusal_is_a_400_unless_it_says_otherwise() -> None:
    class Refusing:
        def predict(self, X: Any, names: Any) -> Any:
            raise SeldonMicroserviceException("no")

    with pytest.raises(Refused) as refused:
        predict(Refusing())

    assert (refused.value.http, refused.value.reason) == (400, "MICROSERVICE_BAD_DATA")


# --- metadata ---------------------------------------------------------------------------------------------------


def test_metadata_that_is_not_valid_is_unavailable_and_the_model_still_serves() -> None:
    class Odd(Doubling):
        def init_metadata(self) -> Any:
            return {"versions": "1"}

    unit_ = component(Odd())

    with pytest.raises(BadMetadata, match=r"^Model metadata unavailable$") as failed:
        unit_.metadata()
    assert (failed.value.http, failed.value.reason) == (500, "MICROSERVICE_BAD_METADATA")
    assert values(unit_.invoke(Method.PREDICT, asking([[1]]))) == [[2]]
