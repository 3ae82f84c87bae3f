"""Whatever is done to a service in whatever order, its requests go where they should."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead.dialects.kserve.inference_service.traffic import read_rollout
from fairlead.plan.model import Plan
from fairlead.plan.status import Phase
from support.isvc import isvc, model
from support.rollouts import Life, weights

pytestmark = pytest.mark.slow

ENTRY = "/serving/models/iris/"
PERCENTS = st.sampled_from([None, 0, 10, 50, 100])
ACTIONS = st.one_of(
    st.tuples(st.just("model"), st.sampled_from([Phase.READY, Phase.STARTING, Phase.FAILED])),
    st.tuples(st.just("percent"), PERCENTS),
    st.tuples(st.just("recover"), st.just(None)),
    st.tuples(st.just("crash"), st.just(None)),
    st.tuples(st.just("step"), st.booleans()),
    st.tuples(st.just("settle"), st.just(None)),
    st.tuples(st.just("restart"), st.just(None)),
)


class Watched:
    """A life whose every plan is checked against what really was ready."""

    def __init__(self) -> None:
        self.life = Life(doc=isvc(model(uri="gs://m/0")))
        self.models = 0
        self.ever_ready: set[str] = set()
        self.next_fate = Phase.READY

    def do(self, action: str, value: Any) -> None:
        life = self.life
        match action:
            case "model":
                self.models += 1
                self.next_fate = value
                life.model(f"gs://m/{self.models}")
            case "percent":
                life.change(canaryTrafficPercent=value)
            case "recover":
                life.fate.clear()
            case "crash":
                serving = read_rollout(life.doc.get("status", {}).get("components", {}).get("predictor"))
                if serving.latest_ready:
                    life.fate[serving.latest_ready.removeprefix("iris-")] = Phase.FAILED
            case "restart":
                life.restart()
            case "step":
                self.step(is_routed=value)
            case "settle":
                for _ in range(8):
                    self.step(is_routed=None)

    def step(self, *, is_routed: bool | None) -> None:
        life = self.life
        before = life.world.plan("InferenceService", "models", "iris")
        plan = life.look()
        assert life.look() == plan
        known = {one.name for one in before.components} if before else set()
        for component in plan.components:
            if component.name not in known and component.name not in self.ever_ready:
                life.fate.setdefault(component.name, self.next_fate)
                self.next_fate = Phase.READY
        self.check(plan, before)
        life.report(routed=is_routed)
        told = life.doc["status"]
        assert life.report(routed=is_routed) is not None
        assert life.doc["status"] == told or is_routed is not False
        self.ever_ready |= {c.name for c in plan.components if life.fate.get(c.name, Phase.READY) is Phase.READY}

    def check(self, plan: Plan, before: Plan | None) -> None:
        running = {component.name for component in plan.components}
        rollout = read_rollout(self.life.doc.get("status", {}).get("components", {}).get("predictor"))
        for route in plan.routes:
            assert sum(target.weight for target in route.targets) == 100
            assert {target.component for target in route.targets} <= running
            if rollout.latest_ready:
                assert {target.component for target in route.targets} <= self.ever_ready
        reachable = {one.name for one in plan.components if one.scale.is_reachable}
        assert {target.component for route in plan.routes for target in route.targets} <= reachable
        if before is not None:
            left = set(weights(before, ENTRY)) - running
            assert not left or not rollout.latest_ready or set(weights(plan, ENTRY)) <= self.ever_ready


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.lists(ACTIONS, max_size=14), PERCENTS)
def test_no_request_goes_to_a_revision_that_never_was_ready_while_another_was(
    actions: list[tuple[str, Any]], last_percent: int | None
) -> None:
    watched = Watched()
    watched.do("settle", None)
    for action, value in actions:
        watched.do(action, value)

    watched.do("recover", None)
    watched.do("percent", last_percent)
    plan = watched.life.settle()

    told = watched.life.doc["status"]["components"]["predictor"]
    rollout = read_rollout(told)
    assert rollout.latest_created == rollout.latest_ready
    entry = weights(plan, ENTRY)
    if last_percent is None or last_percent == 100:
        assert rollout.is_settled
        assert entry == {rollout.latest_ready.removeprefix("iris-"): 100}
        assert len(plan.components) == 1
    else:
        previous = rollout.latest_rolled_out.removeprefix("iris-")
        expected = {rollout.latest_ready.removeprefix("iris-"): last_percent}
        expected[previous] = expected.get(previous, 0) + 100 - last_percent
        assert entry == {name: weight for name, weight in expected.items() if weight}
    assert sum(share["percent"] for share in told["traffic"]) == 100
    conditions = {one["type"]: one["status"] for one in watched.life.doc["status"]["conditions"]}
    assert conditions["Ready"] == "True"


CANARIES = st.dictionaries(st.sampled_from(["second", "third"]), st.sampled_from([0, 10, 50]), max_size=2)
STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}
CHANGES = st.one_of(
    st.tuples(st.just("canaries"), CANARIES),
    st.tuples(st.just("promote"), st.sampled_from(["second", "third"])),
    st.tuples(st.just("fate"), st.sampled_from(["predictor", "second-predictor", "third-predictor"])),
    st.tuples(st.just("recover"), st.just(None)),
    st.tuples(st.just("step"), st.just(None)),
)


def standard_spec(life: Life, name: str, canaries: dict[str, int]) -> None:
    predictor = {**model(uri=f"gs://m/{name}"), **({"name": name} if name else {})}
    entries = [
        {"predictor": {"name": one, **model(uri=f"gs://m/{one}")}, "trafficPercent": percent}
        for one, percent in canaries.items()
        if one != name
    ]
    life.doc = {**life.doc, "spec": {"predictor": predictor, "canary": entries}}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.lists(CHANGES, max_size=14))
def test_canaries_of_standard_mode_get_their_shares_while_they_are_ready(changes: list[tuple[str, Any]]) -> None:
    life = Life(doc=isvc(model(uri="gs://m/"), annotations=STANDARD))
    life.settle()
    name, canaries = "", dict[str, int]()

    def step() -> Plan:
        plan = life.look()
        running = {component.name for component in plan.components}
        told = life.doc["status"].get("canaryStatuses") or []
        ready = {f"{one['name']}-predictor" for one in told if one["ready"]}
        assert set(weights(plan, ENTRY)) <= running
        assert set(weights(plan, ENTRY)) & {f"{one}-predictor" for one in canaries} <= ready
        assert all(sum(target.weight for target in route.targets) == 100 for route in plan.routes)
        life.report()
        return plan

    for action, value in changes:
        match action:
            case "canaries":
                canaries = {one: percent for one, percent in value.items() if one != name}
                standard_spec(life, name, canaries)
            case "promote":
                name = value
                canaries = {one: percent for one, percent in canaries.items() if one != name}
                standard_spec(life, name, canaries)
            case "fate":
                life.fate[value] = Phase.FAILED
            case "recover":
                life.fate.clear()
        step()

    life.fate.clear()
    plan = life.settle()

    stable = f"{name}-predictor" if name else "predictor"
    expected = {f"{one}-predictor": percent for one, percent in canaries.items() if percent and one != name}
    shares = {stable: 100 - sum(expected.values()), **expected}
    assert weights(plan, ENTRY) == {one: share for one, share in shares.items() if share}
