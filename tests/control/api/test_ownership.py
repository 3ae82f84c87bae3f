"""Field managers and server-side apply: who owns what, what conflicts, what goes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.control.api import fields
from fairlead.control.api.ownership import Writer, after_update, applied
from fairlead.control.api.schemas import CONFIG_MAP, SERVICE_ACCOUNT
from fairlead.errors import Conflict


def writer(manager: str, now: str = "2026-01-01T00:00:00Z") -> Writer:
    return Writer(manager=manager, api_version="v1", now=now, has_status=False)


def config(**data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "d"}, "data": data}


def apply(live: dict[str, Any] | None, manager: str, **data: str) -> dict[str, Any]:
    return applied(live, config(**data), CONFIG_MAP, writer(manager), force=False)


def force(live: dict[str, Any] | None, manager: str, **data: str) -> dict[str, Any]:
    return applied(live, config(**data), CONFIG_MAP, writer(manager), force=True)


def owned(document: dict[str, Any], manager: str) -> set[str]:
    entries = document["metadata"].get("managedFields", [])
    found = [entry for entry in entries if entry["manager"] == manager]
    return {fields.show(field) for entry in found for field in fields.decode(entry["fieldsV1"])}


def test_an_apply_owns_what_it_says_and_drops_what_it_no_longer_says() -> None:
    first = apply(None, "alice", a="1", b="2")

    second = apply(first, "alice", b="3")

    assert second["data"] == {"b": "3"}
    assert owned(second, "alice") == {".data.b"}


def test_another_managers_fields_stay() -> None:
    live = apply(apply(None, "alice", a="1"), "bob", b="2")

    after = apply(live, "alice", c="3")

    assert after["data"] == {"b": "2", "c": "3"}
    assert owned(after, "bob") == {".data.b"}


def test_a_field_with_the_same_value_is_shared_and_stays_until_its_last_owner_leaves() -> None:
    shared = apply(apply(None, "alice", a="1"), "bob", a="1")

    left = apply(shared, "alice", x="y")
    gone = apply(left, "bob", z="z")

    assert left["data"] == {"a": "1", "x": "y"}
    assert gone["data"] == {"x": "y", "z": "z"}


def test_another_value_for_anothers_field_is_a_conflict_that_names_both() -> None:
    live = apply(None, "alice", a="1")

    with pytest.raises(Conflict) as refused:
        apply(live, "bob", a="2")

    assert str(refused.value) == 'Apply failed with 1 conflict: conflict with "alice" using v1: .data.a'
    assert [(p.field, p.cause) for p in refused.value.problems] == [(".data.a", "FieldManagerConflict")]


def test_several_conflicts_are_listed_by_manager() -> None:
    live = apply(apply(None, "alice", a="1", b="1"), "carol", c="1")

    with pytest.raises(Conflict) as refused:
        apply(live, "bob", a="2", b="2", c="2")

    assert str(refused.value) == (
        'Apply failed with 3 conflicts: conflicts with "alice" using v1:\n- .data.a\n- .data.b\n'
        'conflicts with "carol" using v1:\n- .data.c'
    )


def test_force_takes_the_field_over() -> None:
    taken = force(apply(None, "alice", a="1", b="1"), "bob", a="2")

    assert taken["data"] == {"a": "2", "b": "1"}
    assert owned(taken, "alice") == {".data.b"}
    assert owned(taken, "bob") == {".data.a"}


def test_an_update_takes_the_fields_it_changes_and_forgets_the_ones_it_removes() -> None:
    live = apply(None, "alice", a="1", b="2", c="3")
    changed = {**live, "data": {"a": "1", "b": "other"}}

    after = after_update(live, changed, CONFIG_MAP, writer("bob"))

    assert owned(after, "alice") == {".data.a"}
    assert owned(after, "bob") == {".data.b"}


def test_an_update_that_changes_nothing_leaves_the_managers_alone() -> None:
    live = apply(None, "alice", a="1")

    assert after_update(live, dict(live), CONFIG_MAP, writer("bob", "2030-01-01T00:00:00Z")) == live


def test_items_of_a_keyed_list_have_owners_of_their_own() -> None:
    def account(*names: str) -> dict[str, Any]:
        head = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "s", "namespace": "d"}}
        return {**head, "secrets": [{"name": name} for name in names]}

    live = applied(None, account("a", "b"), SERVICE_ACCOUNT, writer("alice"), force=False)
    live = applied(live, account("c"), SERVICE_ACCOUNT, writer("bob"), force=False)

    after = applied(live, account("b"), SERVICE_ACCOUNT, writer("alice"), force=False)

    assert [secret["name"] for secret in after["secrets"]] == ["b", "c"]


def test_managers_made_up_for_each_update_do_not_grow_an_object_without_end() -> None:
    live = apply(None, "alice", a="0")
    for number in range(40):
        changed = {**live, "data": {**live["data"], f"k{number}": "v"}}
        live = after_update(live, changed, CONFIG_MAP, writer(f"script-{number}", f"2026-01-01T00:00:{number:02}Z"))

    managers = [entry["manager"] for entry in live["metadata"]["managedFields"]]

    assert len(managers) <= 11
    assert "ancient-changes" in managers
    assert "alice" in managers


DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["alice", "bob"]), DATA), max_size=6))
def test_after_a_forced_apply_the_manager_sees_its_wish_and_every_field_has_an_owner(
    wishes: list[tuple[str, dict[str, str]]],
) -> None:
    live: dict[str, Any] | None = None
    for manager, data in wishes:
        live = force(live, manager, **data)

        assert {key: live["data"][key] for key in data} == data
        held = owned(live, "alice") | owned(live, "bob")
        assert {f".data.{key}" for key in live["data"]} <= held


@given(DATA, DATA)
def test_the_same_apply_again_changes_nothing(first: dict[str, str], second: dict[str, str]) -> None:
    live = force(apply(None, "alice", **first), "bob", **second)

    assert apply(live, "bob", **second) == live


NAMES = st.sampled_from(["f:a", "f:b.c", 'k:{"name":"x"}', 'v:"y"'])


@given(st.sets(st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=8))
def test_a_written_set_of_fields_reads_back_with_every_field(chosen: set[tuple[str, ...]]) -> None:
    found = fields.decode(fields.encode(chosen))

    leaves = {field for field in chosen if not any(other[: len(field)] == field and other != field for other in chosen)}
    assert leaves <= found
