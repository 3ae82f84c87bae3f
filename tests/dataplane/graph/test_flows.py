"""What comes next in a graph of services, and what its answer is."""

import json
from collections import Counter
from typing import Any

import pytest

from fairlead.dataplane.graph.flows import NO_CASE, NO_JSON, NO_SHARE, pick
from fairlead.dataplane.graph.outcome import Outcome, StepFailed
from fairlead.dataplane.graph.parcel import Stopped
from fairlead.dataplane.graph.remote import PeerFailed
from fairlead.plan.model import Enter, Merge, Sequence, Split, Switch
from support.service_graphs import Service, Walked, hop

pytestmark = pytest.mark.anyio

ASKED = {"instances": [1]}


def read(outcome: Outcome) -> Any:
    return json.loads(outcome.data)


@pytest.mark.parametrize(("share", "taken"), [(0, "a"), (19, "a"), (20, "b"), (99, "b")])
async def test_a_split_takes_a_service_by_weight(share: int, taken: str) -> None:
    node = Split(name="root", hops=(hop("a", weight=20), hop("b", weight=80)))

    answer = await Walked(node, share=share, a=Service({"by": "a"}), b=Service({"by": "b"})).ask(ASKED)

    assert read(answer) == {"by": taken}


async def test_a_split_whose_weights_leave_a_gap_says_so() -> None:
    node = Split(name="root", hops=(hop("a", weight=20),))

    with pytest.raises(StepFailed, match=NO_SHARE) as failed:
        await Walked(node, share=50, a=Service()).ask(ASKED)

    assert (failed.value.http, failed.value.step) == (500, "root")


def test_shares_are_even() -> None:
    counts = Counter(pick() // 10 for _ in range(20_000))

    assert set(counts) == set(range(10))
    assert all(1700 < count < 2300 for count in counts.values())


async def test_a_switch_takes_the_first_service_whose_condition_finds_something() -> None:
    node = Switch(
        name="root",
        hops=(
            hop("a", condition='instances.#(modelId=="1")'),
            hop("b", condition="instances.#(modelId)"),
            hop("c", condition="instances"),
        ),
    )
    services = {name: Service({"by": name}) for name in "abc"}
    graph = Walked(node, **services)

    taken = [read(await graph.ask({"instances": [item]}))["by"] for item in ({"modelId": "1"}, {"modelId": "2"}, {})]

    assert taken == ["a", "b", "c"]


@pytest.mark.parametrize("asked", [{"instances": []}, b"no json", b""])
async def test_a_request_that_no_case_takes_is_not_found(asked: Any) -> None:
    node = Switch(name="root", hops=(hop("a", condition="predictions"), hop("b")))

    with pytest.raises(StepFailed, match=NO_CASE) as failed:
        await Walked(node, a=Service(), b=Service()).ask(asked)

    assert (failed.value.http, failed.value.step) == (404, "root")


@pytest.mark.parametrize("kind", [Sequence, Merge])
async def test_a_switch_inside_another_node_is_not_found_either_and_ends_the_graph(kind: Any) -> None:
    inner = Switch(name="inner", hops=(hop("a", condition="nobody"),))
    after = Service({})
    root = kind(name="root", hops=(hop(Enter(name="inner")), hop("after")))

    with pytest.raises(StepFailed, match=NO_CASE) as failed:
        await Walked(root, inner, a=Service(), after=after).ask(ASKED)

    assert (failed.value.http, failed.value.step) == (404, "inner")
    assert kind is Merge or after.asked == []


@pytest.mark.parametrize("is_required", [False, True])
@pytest.mark.parametrize("kind", [Split, Switch])
async def test_a_choice_passes_on_the_status_it_got(kind: Any, is_required: bool) -> None:
    node = kind(name="root", hops=(hop("a", weight=100, condition="instances", is_required=is_required),))

    answer = await Walked(node, a=Service({"error": "busy"}, 429)).ask(ASKED)

    assert (answer.status, answer.step, read(answer)) == (429, "root/a", {"error": "busy"})


async def test_a_merge_asks_all_with_the_same_and_answers_by_label() -> None:
    services = {"a": Service(b'{"n": 1.0}\n'), "b": Service({"x": [2]})}
    node = Merge(name="root", hops=(hop("b", "second"), hop("a", "0")))

    answer = await Walked(node, **services).ask(ASKED)

    assert answer.data == b'{"0":{"n": 1.0},"second":{"x": [2]}}'
    assert answer.status == 200
    assert [one.asked for one in services.values()] == [[ASKED], [ASKED]]


async def test_a_failure_that_may_be_is_part_of_the_merged_answer() -> None:
    node = Merge(name="root", hops=(hop("a"), hop("b")))

    answer = await Walked(node, a=Service({"error": "broken"}, 500), b=Service({"ok": True})).ask(ASKED)

    assert (answer.status, answer.step) == (200, "")
    assert read(answer) == {"a": {"error": "broken"}, "b": {"ok": True}}


async def test_the_first_required_failure_in_order_is_the_merged_answer() -> None:
    node = Merge(name="root", hops=(hop("a"), hop("b", is_required=True), hop("c", is_required=True)))
    services = {"a": Service({}, 500), "b": Service(b"no", 418), "c": Service({}, 503)}

    answer = await Walked(node, **services).ask(ASKED)

    assert (answer.status, answer.data, answer.step) == (418, b"no", "root/b")


@pytest.mark.parametrize(("body", "what"), [(b"[1]", "no object"), (b"<html>", "no JSON"), (b"", "no JSON")])
async def test_a_merge_cannot_merge_what_is_no_object(body: bytes, what: str) -> None:
    node = Merge(name="root", hops=(hop("a"), hop("b")))

    with pytest.raises(StepFailed, match=what) as failed:
        await Walked(node, a=Service({}), b=Service(body)).ask(ASKED)

    assert (failed.value.http, failed.value.step) == (500, "root/b")


async def test_a_sequence_gives_each_what_it_got_or_the_answer_before() -> None:
    services = {"a": Service({"from": "a"}), "b": Service({"from": "b"}), "c": Service()}
    node = Sequence(name="root", hops=(hop("a", takes_answer=True), hop("b"), hop("c", takes_answer=True)))

    answer = await Walked(node, **services).ask(ASKED)

    assert (services["a"].asked, services["b"].asked, services["c"].asked) == ([ASKED], [ASKED], [{"from": "b"}])
    assert read(answer) == {"from": "b"}


@pytest.mark.parametrize(
    ("before", "sent"),
    [
        ({"predictions": [1, 2], "x": 0}, {"instances": [1, 2]}),
        ({"predictions": []}, {"predictions": []}),
        ({"outputs": []}, {"outputs": []}),
        (b"plain", b"plain"),
        ([{"predictions": [1]}], [{"predictions": [1]}]),
    ],
)
async def test_predictions_can_be_sent_on_as_instances(before: Any, sent: Any) -> None:
    after = Service()
    node = Sequence(name="root", hops=(hop("a"), hop("b", takes_answer=True, renames_predictions=True)))

    await Walked(node, a=Service(before), b=after).ask(ASKED)

    assert after.asked == [sent]


@pytest.mark.parametrize(("label", "asked_by"), [("dog", ["b"]), ("cat", [])])
async def test_a_condition_that_finds_nothing_ends_a_sequence_with_what_it_has(label: str, asked_by: list[str]) -> None:
    first, second = Service({"predictions": [{"label": label}]}, 500), Service({"by": "b"})
    node = Sequence(name="root", hops=(hop("a"), hop("b", condition='predictions.#(label=="dog")')))

    answer = await Walked(node, a=first, b=second).ask(ASKED)

    assert [*(["b"] if second.asked else [])] == asked_by
    assert answer.status == 200
    assert read(answer) == ({"by": "b"} if asked_by else {"predictions": [{"label": label}]})


async def test_a_condition_on_what_is_no_json_fails() -> None:
    node = Sequence(name="root", hops=(hop("a"), hop("b", condition="x")))

    with pytest.raises(StepFailed, match=NO_JSON) as failed:
        await Walked(node, a=Service(b"text"), b=Service()).ask(ASKED)

    assert (failed.value.http, failed.value.step) == (500, "root/b")


async def test_a_condition_on_the_first_step_has_no_answer_to_look_at() -> None:
    node = Sequence(name="root", hops=(hop("a", condition="instances"),))

    with pytest.raises(StepFailed, match=NO_JSON):
        await Walked(node, a=Service()).ask(ASKED)


async def test_a_required_failure_ends_a_sequence_and_another_does_not() -> None:
    required = Sequence(name="root", hops=(hop("a", is_required=True), hop("b")))
    soft = Sequence(name="root", hops=(hop("a"), hop("b")))
    services = {"a": Service({"why": "busy"}, 503), "b": Service({"ok": 1})}

    ended, went_on = await Walked(required, **services).ask(ASKED), await Walked(soft, **services).ask(ASKED)

    assert (ended.status, ended.step, read(ended)) == (503, "root/a", {"why": "busy"})
    assert (went_on.status, went_on.step, read(went_on)) == (200, "", {"ok": 1})


async def test_the_innermost_step_that_failed_is_named() -> None:
    root = Sequence(name="root", hops=(hop(Enter(name="inner"), is_required=True),))
    inner = Sequence(name="inner", hops=(hop("a", "classify"),))

    answer = await Walked(root, inner, a=Service({}, 500)).ask(ASKED)

    assert answer.step == "inner/classify"


@pytest.mark.parametrize("kind", [Sequence, Merge])
async def test_a_step_without_an_answer_ends_everything(kind: Any) -> None:
    gone = Stopped("a", PeerFailed('Post "http://a": EOF'))
    node = kind(name="root", hops=(hop("a"), hop("b")))

    with pytest.raises(StepFailed, match=r'^Post "http://a": EOF$') as failed:
        await Walked(node, a=Service(error=gone), b=Service({})).ask(ASKED)

    assert (failed.value.http, failed.value.step) == (500, "root/a")


async def test_an_empty_sequence_has_an_empty_answer() -> None:
    answer = await Walked(Sequence(name="root", hops=())).ask(ASKED)

    assert (answer.status, answer.data) == (200, b"")


async def test_nodes_may_lead_back_to_themselves_while_a_condition_says_so() -> None:
    counting = Counting(until=5)
    root = Sequence(
        name="root",
        hops=(hop("count"), hop(Enter(name="root"), takes_answer=True, condition="[@this].#(left>0)")),
    )

    answer = await Walked(root, count=counting).ask({"left": 5})

    assert read(answer) == {"left": 0}


async def test_nodes_that_lead_back_without_end_are_ended() -> None:
    root = Sequence(name="root", hops=(hop(Enter(name="root")),))

    with pytest.raises(StepFailed, match="leads back to itself") as failed:
        await Walked(root).ask(ASKED)

    assert failed.value.http == 508


async def test_nodes_that_double_are_ended_before_they_are_too_many() -> None:
    nodes = [
        Merge(name=f"n{depth}", hops=(hop(Enter(name=f"n{depth + 1}"), "l"), hop(Enter(name=f"n{depth + 1}"), "r")))
        for depth in range(30)
    ]

    with pytest.raises(StepFailed, match="more than 200 nodes"):
        await Walked(*nodes, Merge(name="n30", hops=())).ask(ASKED)


class Counting(Service):
    """Counts down what it is asked."""

    def __init__(self, until: int) -> None:
        super().__init__()
        self.left = until

    async def begin(self, parcel: Any, walk: Any) -> Any:
        self.left -= 1
        return Outcome.of(json.dumps({"left": self.left}).encode())
