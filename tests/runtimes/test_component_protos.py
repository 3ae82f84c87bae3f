"""Methods of users' classes that work on whole messages, for calls over gRPC."""

from typing import Any

import numpy as np
import pytest

from fairlead.plan.model import Method
from fairlead.protocols import protos, seldon_proto
from fairlead.protocols.message import Form, Message, Payload
from fairlead.runtimes.component import Component
from fairlead.runtimes.failures import BadData
from fairlead.runtimes.seldon_shim.user_model import SeldonNotImplementedError
from support.units import asking, unit

MESSAGE = protos.message("seldon.protos.SeldonMessage")


def component(target: object, **env: str) -> Component:
    return Component(target, unit(name="node", image="i:1"), env=env)


def over_grpc(message: Message) -> Message:
    message.raw_proto = seldon_proto.proto_of(message)
    return message


def predict(target: object, **env: str) -> Message:
    return component(target, **env).invoke(Method.PREDICT, over_grpc(asking([[1, 2]], names=["a", "b"])))


def test_the_grpc_method_goes_before_the_raw_one_and_its_answer_is_sent_as_it_is() -> None:
    class Both:
        def predict_grpc(self, message: Any) -> Any:
            self.given = message
            return MESSAGE(strData="grpc")

        def predict_raw(self, message: Any) -> Any:
            return MESSAGE(strData="raw")

        def predict_rest(self, message: Any) -> Any:
            return {"strData": "rest"}

    target = Both()
    answer = predict(target)

    assert list(target.given.data.names) == ["a", "b"]
    assert answer.payload.value == "grpc"
    assert seldon_proto.encode(answer) == MESSAGE(strData="grpc").SerializeToString()
    assert component(target).invoke(Method.PREDICT, asking([[1]])).payload.value == "rest"


def test_methods_that_are_not_implemented_fall_through_to_the_plain_one() -> None:
    class Falling:
        def predict_grpc(self, message: Any) -> Any:
            raise SeldonNotImplementedError

        def predict_raw(self, message: Any) -> Any:
            raise SeldonNotImplementedError

        def predict(self, X: Any, names: Any) -> Any:
            return X * 2

    assert predict(Falling()).payload.value.tolist() == [[2, 4]]


def test_a_class_with_a_grpc_method_alone_answers_rest_as_if_it_had_none() -> None:
    class Only:
        def predict_grpc(self, message: Any) -> Any:
            return MESSAGE(strData="grpc")

    unit_ = component(Only())

    assert unit_.methods == {Method.PREDICT}
    assert unit_.takes_protos
    assert unit_.invoke(Method.PREDICT, asking([[1]])).payload.value.tolist() == []


def test_a_dict_is_an_answer_over_grpc_too() -> None:
    class Raw:
        def predict_raw(self, message: Any) -> Any:
            return {"data": {"ndarray": [[7]]}, "status": {"code": 3, "status": "FAILURE"}}

    back = seldon_proto.decode(seldon_proto.encode(predict(Raw())))

    assert back.payload.value.tolist() == [[7.0]]
    assert back.status == {"code": 3, "status": "FAILURE"}


def test_metrics_of_a_raw_answer_are_reported_and_may_be_hidden() -> None:
    class Raw:
        def predict_raw(self, message: Any) -> Any:
            answer = MESSAGE(strData="x")
            answer.meta.metrics.add(key="k", value=2, tags={"t": "1"})
            return answer

    expected = [{"key": "k", "type": "COUNTER", "value": 2.0, "tags": {"t": "1"}}]
    shown, hidden = predict(Raw()), predict(Raw(), INCLUDE_METRICS_IN_CLIENT_RESPONSE="false")

    assert shown.own_metrics == hidden.own_metrics == expected
    assert seldon_proto.decode(seldon_proto.encode(shown)).meta.metrics == expected
    assert seldon_proto.decode(seldon_proto.encode(hidden)).meta.metrics == []


def test_another_message_is_no_answer_of_a_raw_method() -> None:
    class Raw:
        def predict_raw(self, message: Any) -> Any:
            return protos.message("seldon.protos.Meta")(puid="x")

    with pytest.raises(BadData, match="must return a SeldonMessage or a dict, not Meta"):
        predict(Raw())


def test_a_combiner_and_a_feedback_method_get_their_own_messages() -> None:
    class Raw:
        def aggregate_raw(self, messages: Any) -> Any:
            return MESSAGE(strData="".join(one.strData for one in messages.seldonMessages))

        def send_feedback_grpc(self, feedback: Any) -> Any:
            return MESSAGE(strData=str(feedback.reward))

    both = [over_grpc(asking(word, Form.STRING)) for word in ("a", "b")]
    fields = {"request": {"strData": "x"}, "reward": 0.5}
    data = protos.message("seldon.protos.Feedback")(**fields).SerializeToString()

    assert component(Raw()).aggregate(both).payload.value == "ab"
    assert component(Raw()).feedback(seldon_proto.decode_feedback(data)).payload.value == "0.5"


def test_a_protobuf_message_is_custom_data() -> None:
    class Custom:
        def predict(self, X: Any, names: Any) -> Any:
            return protos.message("seldon.protos.Metric")(key="k")

    answer = component(Custom()).invoke(Method.PREDICT, Message(Payload(Form.NDARRAY, np.array([[1]]))))

    assert answer.payload.form is Form.CUSTOM
    assert seldon_proto.decode(seldon_proto.encode(answer)).payload.value.type_url.endswith("/seldon.protos.Metric")
