"""What is written and deleted when: decided without a cluster."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.operator.changes import Changes, Sent, changes
from fairlead.backends.kubernetes.operator.comparing import fingerprint, marked, project
from fairlead.backends.kubernetes.operator.resources import ObjectKey, key_of

Document = dict[str, Any]
_VERSIONS = {
    "Deployment": "apps/v1",
    "Service": "v1",
    "ConfigMap": "v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
}


def doc(kind: str, name: str, **spec: Any) -> Document:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": _VERSIONS[kind], "kind": kind, "metadata": metadata, "spec": spec}


def there(wanted: Document, *, is_ready: bool = True, **metadata: Any) -> Document:
    """The object that an apply made."""
    made = marked(wanted)
    count = wanted["spec"].get("replicas", 1)
    done = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), count if is_ready else 0)
    return {
        **made,
        "metadata": {**made["metadata"], "generation": 1, **metadata},
        "status": {"observedGeneration": 1, **done},
    }


def live(*docs: Document) -> dict[ObjectKey, Document]:
    return {key_of(one): one for one in docs}


def names(found: Any) -> list[tuple[str, str]]:
    keys = (one if isinstance(one, ObjectKey) else key_of(one) for one in found)
    return [(key.kind, key.name) for key in keys]


def test_everything_is_written_at_first_but_what_waits_for_the_workloads() -> None:
    wanted = [doc("Service", "one"), doc("Deployment", "one", replicas=1)]

    todo = changes(wanted, [doc("HTTPRoute", "one")], {})

    assert names(todo.write) == [("Service", "one"), ("Deployment", "one")]
    assert names(todo.held) == [("HTTPRoute", "one")]
    assert not todo.is_ready


def test_ways_in_are_written_when_the_workloads_are_ready() -> None:
    wanted = [doc("Deployment", "one", replicas=1)]

    todo = changes(wanted, [doc("HTTPRoute", "one")], live(there(wanted[0])))

    assert names(todo.write) == [("HTTPRoute", "one")]


def test_a_workload_goes_when_those_that_are_wanted_are_ready() -> None:
    old, new = doc("Deployment", "old", replicas=1), doc("Deployment", "new", replicas=1)

    assert changes([new], [], live(there(old), there(new, is_ready=False))).last == ()
    assert names(changes([new], [], live(there(old), there(new))).last) == [("Deployment", "old")]


def test_services_go_after_the_workloads_and_what_pods_read_last() -> None:
    gone = [there(doc(kind, "old")) for kind in ("ConfigMap", "Service", "Deployment", "HTTPRoute")]

    todo = changes([], [], live(*gone))

    assert [kind for kind, _ in names(todo.last)] == ["HTTPRoute", "Deployment", "Service", "ConfigMap"]


def test_an_autoscaler_that_nobody_wants_goes_before_its_workload_is_written() -> None:
    wanted = doc("Deployment", "one", replicas=2)
    autoscaler = there(doc("HorizontalPodAutoscaler", "one"))

    todo = changes([wanted], [], live(autoscaler, there(doc("Deployment", "one"), is_ready=False)))

    assert names(todo.first) == [("HorizontalPodAutoscaler", "one")]
    assert names(todo.write) == [("Deployment", "one")]


def test_a_service_keeps_its_pods_until_the_new_ones_are_ready() -> None:
    deployment = doc("Deployment", "one", replicas=1)
    service, moved = doc("Service", "one", selector={"app": "old"}), doc("Service", "one", selector={"app": "new"})

    waiting = changes([moved, deployment], [], live(there(service), there(deployment, is_ready=False)))
    ready = changes([moved, deployment], [], live(there(service), there(deployment)))

    assert names(waiting.held) == [("Service", "one")]
    assert names(ready.write) == [("Service", "one")]


def test_what_a_webhook_rewrites_is_not_written_for_ever() -> None:
    wanted = doc("Deployment", "one", image="short")
    rewritten = there(wanted)
    rewritten["spec"] = {"image": "registry/short"}

    assert changes([wanted], [], live(rewritten)).write
    sent = Sent(fingerprint(wanted), project(rewritten, wanted))
    assert not changes([wanted], [], live(rewritten), sent=lambda _: sent).write


def test_a_field_that_is_not_wanted_any_more_is_a_change() -> None:
    before, after = doc("Deployment", "one", replicas=1, paused=True), doc("Deployment", "one", replicas=1)

    assert names(changes([after], [], live(there(before))).write) == [("Deployment", "one")]


def test_what_is_being_deleted_is_neither_ready_nor_deleted_again() -> None:
    wanted = doc("Deployment", "one", replicas=1)
    leaving = there(wanted, deletionTimestamp="2026-01-01T00:00:00Z")

    todo = changes([wanted], [], live(leaving, there(doc("Service", "x"), deletionTimestamp="2026-01-01T00:00:00Z")))

    assert names(todo.write) == [("Deployment", "one")]
    assert (todo.first, todo.last) == ((), ())


_DOCS = st.builds(
    doc,
    st.sampled_from(sorted(_VERSIONS)),
    st.sampled_from(["a", "b", "c"]),
    replicas=st.integers(0, 2),
    selector=st.dictionaries(st.just("app"), st.sampled_from(["x", "y"])),
)
_SETS = st.lists(_DOCS, max_size=6, unique_by=key_of)


def done(todo: Changes, found: dict[ObjectKey, Document]) -> dict[ObjectKey, Document]:
    """The cluster after a reconcile, with everything rolled out."""
    left = {key: one for key, one in found.items() if key not in (*todo.first, *todo.last)}
    return {**left, **live(*(there(dict(one)) for one in todo.write))}


@given(_SETS, _SETS, _SETS)
def test_any_wish_is_reached_from_any_state_and_then_nothing_is_written(
    wanted: list[Document], late: list[Document], before: list[Document]
) -> None:
    late = [one for one in late if key_of(one) not in {key_of(other) for other in wanted}]
    found = live(*(there(one) for one in before))

    for _ in range(4):
        found = done(changes(wanted, late, found), found)

    assert changes(wanted, late, found).is_empty
    assert set(found) == {key_of(one) for one in (*wanted, *late)}


@given(_SETS, _SETS)
def test_nothing_that_answers_goes_before_what_replaces_it(wanted: list[Document], before: list[Document]) -> None:
    found = live(*(there(one, is_ready=False) for one in before))

    todo = changes(wanted, [], found)

    if not todo.is_ready:
        assert todo.last == ()
    assert not {key_of(one) for one in wanted} & {*todo.first, *todo.last}
