"""When kinds are listed again."""

from fairlead.backends.kubernetes.operator.resources import CONFIG_MAP, SERVICE
from fairlead.backends.kubernetes.operator.sweeping import Agenda

KINDS = [CONFIG_MAP.key, SERVICE.key]


def agenda() -> Agenda:
    made = Agenda(every_s=600.0, soon_s=1.0, rest_s=60.0)
    assert made.due(KINDS, 0.0) == []
    return made


def test_everything_is_listed_now_and_then() -> None:
    made = agenda()

    assert made.due(KINDS, 599.0) == []
    assert made.due(KINDS, 600.0) == KINDS


def test_a_watch_that_began_is_followed_by_a_list_soon_after_it_shows() -> None:
    made = agenda()
    made.begun(KINDS, 10.0)
    made.listed(SERVICE.key, 11.0)

    assert made.due(KINDS, 11.5) == []
    assert made.due(KINDS, 12.0) == [SERVICE.key]


def test_a_watch_that_shows_nothing_is_followed_by_one_too() -> None:
    made = agenda()
    made.begun(KINDS, 10.0)

    assert made.due(KINDS, 70.0) == KINDS


def test_a_long_list_is_not_answered_by_a_list_for_each_object() -> None:
    made = agenda()
    made.begun([], 10.0)
    made.listed(SERVICE.key, 11.0)
    made.swept(SERVICE.key, 12.0)
    for at in range(13, 40):
        made.listed(SERVICE.key, float(at))

    assert made.due(KINDS, 71.0) == []
    assert made.due(KINDS, 72.0) == [SERVICE.key]


def test_it_says_how_long_there_is_nothing_to_do() -> None:
    made = agenda()
    made.begun([SERVICE.key], 10.0)
    made.listed(SERVICE.key, 20.0)

    assert made.wait_s(20.0) == 1.0
