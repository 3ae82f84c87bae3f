from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fairlead.plan.routing import RouteTable, Service, amended, difference

SERVICES = {
    (name, state): Service(kind="K", namespace="n", name=name, routes=(), pools=(), state=state)
    for name in "abcdef"
    for state in ("Ready", "Failed")
}
STATES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["Ready", "Failed"]))


def table(states: dict[str, str], *, is_copied: bool = False) -> RouteTable:
    found = [SERVICES[name, states[name]] for name in sorted(states)]
    return RouteTable(services=tuple(replace(one) for one in found) if is_copied else tuple(found))


@given(STATES, STATES, st.booleans())
def test_a_table_amended_by_its_difference_to_another_is_the_other(
    before: dict[str, str], after: dict[str, str], is_copied: bool
) -> None:
    changed, gone = difference(table(before), table(after, is_copied=is_copied))

    assert {one.name for one in changed} == {name for name in after if before.get(name) != after[name]}
    assert {one.name for one in gone} == before.keys() - after.keys()
    identities = [one.identity for one in gone]
    assert amended(table(before), changed=changed, gone=identities) == table(after)


def test_what_is_not_there_cannot_go() -> None:
    assert amended(table({"b": "Ready"}), gone=[("K", "n", "a"), ("K", "n", "c")]) == table({"b": "Ready"})
