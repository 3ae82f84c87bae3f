"""What counts as the same: defaults and spellings of the API do, changes of ours do not."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.operator.comparing import contains, fingerprint, mark_of, marked, project

Document = dict[str, Any]

_SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def deployment(**container: Any) -> Document:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "one", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [{"name": "model", "image": "ours", **container}]}}},
    }


def container(doc: Document) -> Document:
    found: Document = doc["spec"]["template"]["spec"]["containers"][0]
    return found


@given(_VALUES)
def test_everything_contains_itself(value: Any) -> None:
    assert contains(value, copy.deepcopy(value))


@given(_VALUES, st.dictionaries(st.text(max_size=3), _VALUES, max_size=2))
def test_what_others_add_to_an_object_is_no_difference(wanted: Any, more: Document) -> None:
    wanted = {"spec": wanted}
    live = {**more, **wanted}

    assert contains(live, wanted)
    assert project(live, wanted) == project(wanted, wanted)


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 5), min_size=1, max_size=3), st.data())
def test_a_changed_value_is_a_difference(wanted: Document, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(wanted)))

    assert not contains({**wanted, name: wanted[name] + 1}, wanted)
    assert not contains({key: value for key, value in wanted.items() if key != name}, wanted)


def test_defaults_and_containers_of_others_are_no_difference() -> None:
    live = deployment(imagePullPolicy="IfNotPresent", terminationMessagePath="/dev/termination-log")
    live["spec"]["template"]["spec"]["containers"].insert(0, {"name": "injected", "image": "theirs"})

    assert contains(live, deployment())


def test_a_missing_container_is_a_difference() -> None:
    live = deployment()
    container(live)["name"] = "another"

    assert not contains(live, deployment())


def test_quantities_are_compared_by_what_they_say() -> None:
    wanted = deployment(resources={"limits": {"cpu": "1000m", "memory": "1024Mi"}})
    live = deployment(resources={"limits": {"cpu": "1", "memory": "1Gi"}})

    assert contains(live, wanted)
    assert not contains(deployment(resources={"limits": {"cpu": "2", "memory": "1Gi"}}), wanted)


def test_text_that_looks_like_a_quantity_is_text() -> None:
    assert not contains(
        deployment(env=[{"name": "A", "value": "1"}]), deployment(env=[{"name": "A", "value": "1000m"}])
    )


def test_what_is_empty_may_be_absent() -> None:
    wanted = deployment(args=[], env=None, securityContext={}, stdin=False)

    assert contains(deployment(), wanted)


def test_mounts_are_told_apart_by_their_path_and_ports_by_number_and_protocol() -> None:
    mounts = [{"name": "data", "mountPath": "/a"}, {"name": "data", "mountPath": "/b"}]
    ports = [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]

    live = deployment(volumeMounts=mounts[::-1], ports=[{"containerPort": 80, "protocol": "TCP"}, ports[1]])

    assert contains(live, deployment(volumeMounts=mounts, ports=ports))


def test_lists_without_keys_must_be_the_same() -> None:
    assert not contains(deployment(args=["a", "b"]), deployment(args=["a"]))
    assert not contains(deployment(args=["b", "a"]), deployment(args=["a", "b"]))


@given(st.permutations(["a", "b", "c"]))
def test_the_fingerprint_does_not_depend_on_the_order_of_fields(order: list[str]) -> None:
    assert fingerprint(dict.fromkeys(order, 1)) == fingerprint({"a": 1, "b": 1, "c": 1})


def test_a_sent_document_carries_the_fingerprint_of_what_was_wanted() -> None:
    wanted = deployment()

    assert mark_of(marked(wanted)) == fingerprint(wanted)
    assert mark_of(wanted) == ""


def test_a_selector_is_compared_as_a_whole() -> None:
    wanted = {"spec": {"selector": {"app": "iris"}}}

    assert contains({"spec": {"selector": {"app": "iris"}, "type": "ClusterIP"}}, wanted)
    assert not contains({"spec": {"selector": {"app": "iris", "stolen": "yes"}}}, wanted)
