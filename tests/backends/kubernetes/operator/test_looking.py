"""When a resource with missing pods is looked at again."""

from fairlead.backends.kubernetes.operator.looking import LONGEST_S, Looks
from fairlead.backends.kubernetes.operator.resources import ObjectKey

IRIS, WINE = (ObjectKey("serving.kserve.io", "InferenceService", "default", name) for name in ("iris", "wine"))


def test_what_stands_still_is_looked_at_less_and_less_often() -> None:
    looks = Looks()

    waits = [looks.next_s(IRIS, has_moved=False) for _ in range(2000)]

    assert waits[:3] == [2.0, 3.0, 4.5]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_S


def test_what_has_moved_is_looked_at_soon() -> None:
    looks = Looks()
    for _ in range(10):
        looks.next_s(IRIS, has_moved=False)

    assert [looks.next_s(IRIS, has_moved=moved) for moved in (True, False)] == [2.0, 3.0]


def test_each_has_its_own_time_and_what_was_fine_begins_anew() -> None:
    looks = Looks()
    looks.next_s(IRIS, has_moved=False)
    looks.next_s(IRIS, has_moved=False)

    assert looks.next_s(WINE, has_moved=False) == 2.0
    looks.forget(IRIS)
    assert looks.next_s(IRIS, has_moved=False) == 2.0
