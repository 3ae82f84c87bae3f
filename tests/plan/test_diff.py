from dataclasses import replace

from fairlead.plan.diff import diff
from fairlead.plan.model import (
    Artifact,
    Call,
    Component,
    ComponentName,
    EnvVar,
    Graph,
    HeaderMatch,
    Method,
    Mirror,
    Owner,
    Parameter,
    Plan,
    Resources,
    Revision,
    Route,
    Target,
    Unit,
    UnitName,
)
from fairlead.plan.scaling import ScalePolicy

UNIT = Unit(name=UnitName("m"), runtime="sklearn", artifact=Artifact(uri="gs://a"), image="sklearnserver:1")


def revision(digest: str = "aaa", *units: Unit, **fields: object) -> Revision:
    graph = Graph(root=Call(unit=UnitName("m"), method=Method.PREDICT))
    return replace(Revision(hash=digest, units=units or (UNIT,), graph=graph), **fields)  # type: ignore[arg-type]  # by name


def component(name: str = "default", held: Revision | None = None, scale: ScalePolicy | None = None) -> Component:
    policy = ScalePolicy() if scale is None else scale
    return Component(name=ComponentName(name), full_name=f"x-{name}", revision=held or revision(), scale=policy)


def plan(*components: Component, routes: tuple[Route, ...] = ()) -> Plan:
    owner = Owner(api_version="v1", kind="Thing", namespace="ns", name="x")
    return Plan(owner=owner, components=components, routes=routes)


def route(prefix: str = "/x/", **weights: int) -> Route:
    targets = tuple(Target(component=ComponentName(name), weight=weight) for name, weight in weights.items())
    return Route(path_prefix=prefix, targets=targets)


def test_equal_plans_differ_in_nothing() -> None:
    made = plan(component(), routes=(route(default=100),))

    assert diff(made, made) == []
    assert diff(None, None) == []


def test_a_new_plan_adds_and_a_gone_plan_removes() -> None:
    scaled = plan(component(scale=ScalePolicy(min_replicas=2, max_replicas=5)), component("b"))

    assert diff(None, scaled) == ["default: added, revision aaa, 2 to 5 replicas", "b: added, revision aaa, 1 replica"]
    assert diff(scaled, None) == ["default: removed", "b: removed"]


def test_a_new_revision_says_what_makes_it_new() -> None:
    changed = replace(
        UNIT,
        artifact=Artifact(uri="https://user:secret@host/b"),
        image="",
        runtime="xgboost",
        parameters=(Parameter(name="method", value="predict"),),
        env=(EnvVar(name="TOKEN", value="hunter2"),),
        resources=Resources(cpu_limit=0.5, memory_request_bytes=1024**3),
        command=("x",),
    )

    (line,) = diff(plan(component()), plan(component(held=revision("bbb", changed))))

    assert line == (
        "default: revision aaa → bbb: unit m: model gs://a → https://host/b, image sklearnserver:1 → none, "
        "runtime sklearn → xgboost, parameter method not set → predict, env TOKEN, "
        "resources none → cpu 500m memory 1Gi, command"
    )


def test_units_and_settings_of_a_revision_are_told() -> None:
    other = replace(UNIT, name=UnitName("n"))
    held = revision("bbb", UNIT, other, timeout_s=1.5, drain_s=5.0, labels=(("a", "b"),))

    forward = diff(plan(component()), plan(component(held=held)))
    back = diff(plan(component(held=held)), plan(component()))

    assert forward == ["default: revision aaa → bbb: unit n added; timeout none → 1.5 s; labels; drain"]
    assert back == ["default: revision bbb → aaa: unit n removed; timeout 1.5 s → none; labels; drain"]


def test_a_hash_without_a_visible_difference_is_still_told() -> None:
    assert diff(plan(component()), plan(component(held=revision("bbb")))) == ["default: revision aaa → bbb: settings"]


def test_replicas_and_shares_are_told() -> None:
    old = plan(component(), component("b"), routes=(route(default=100, b=0),))
    scaled = component(scale=ScalePolicy(min_replicas=3, max_replicas=3))
    shifted = replace(route(default=1, b=3), mirrors=(Mirror(component=ComponentName("c"), percent=10),))

    assert diff(old, plan(scaled, component("b"), routes=(shifted,))) == [
        "default: 1 replica → 3 replicas",
        "traffic: default 100 %, b 0 % → default 25 %, b 75 %, c copy of 10 %",
    ]


def test_routes_are_told_by_what_they_match() -> None:
    guarded = replace(route("/z/", default=100), headers=(HeaderMatch(name="h", value="v"),), metadata=(("k", "w"),))
    old = plan(component(), routes=(route("/x/", default=100), route("/y/", default=100)))
    new = plan(component(), routes=(replace(route("/x/", default=100), timeout_s=3, retries=1), guarded))

    assert diff(old, new) == [
        "route /x/: timeout 3 s, 1 retries",
        "route /z/ (h=v, k=w) added",
        "route /y/ removed",
    ]
