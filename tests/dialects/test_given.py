from typing import Any

from fairlead.dialects.given import GivenWorld


def made(kind: str, name: str, namespace: str = "", **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **fields}


def test_objects_are_found_by_kind_namespace_and_name() -> None:
    wide, own = made("Runtime", "a"), made("Service", "a", "n")
    world = GivenWorld([wide, own])

    assert (world.get("Runtime", "", "a"), world.get("Service", "n", "a")) == (wide, own)
    assert world.get("Service", "m", "a") is None


def test_the_first_of_a_name_counts() -> None:
    mine = made("Runtime", "a", value=1)

    assert GivenWorld([mine, made("Runtime", "a", value=2)]).get("Runtime", "", "a") == mine


def test_objects_are_listed_in_the_order_of_their_names() -> None:
    world = GivenWorld([made("Service", name, space) for name, space in (("b", "n"), ("a", "n"), ("c", "m"))])

    assert [one["metadata"]["name"] for one in world.list("Service", "n")] == ["a", "b"]
    assert [one["metadata"]["name"] for one in world.list("Service")] == ["a", "b", "c"]


def test_nothing_runs_in_it() -> None:
    world = GivenWorld([])

    assert (world.plan("Service", "n", "a"), world.observed("Service", "n", "a")) == (None, None)
