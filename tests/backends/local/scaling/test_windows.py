"""Windows of values by the second."""

from fairlead.backends.local.scaling.windows import Buckets


def written(values: dict[int, float], *, window_s: int = 10) -> Buckets:
    buckets = Buckets(window_s=window_s)
    for second, value in values.items():
        buckets = buckets.record(second, value)
    return buckets


def test_a_window_that_has_just_begun_is_averaged_over_what_there_is() -> None:
    assert written({100: 9.0, 101: 3.0}).average(101.5) == 6.0


def test_a_second_without_a_value_between_others_counts_as_zero() -> None:
    assert written({100: 9.0, 102: 3.0}).average(102.0) == 4.0


def test_values_of_one_second_add_up() -> None:
    assert written({100: 9.0}).record(100, 1.0).average(100.0) == 10.0
    assert written({100: 9.0, 101: 0.0}).record(100, 1.0).average(101.0) == 5.0


def test_a_full_window_forgets_its_oldest_second() -> None:
    buckets = written({second: 10.0 if second == 100 else 0.0 for second in range(100, 110)})
    assert buckets.average(109.0) == 1.0
    assert buckets.record(110, 0.0).average(110.0) == 0.0


def test_seconds_that_have_not_been_measured_yet_are_no_part_of_the_mean() -> None:
    buckets = written(dict.fromkeys(range(100, 110), 10.0))
    assert buckets.average(114.9) == 10.0


def test_after_a_silent_window_nothing_is_known_and_the_next_value_begins_anew() -> None:
    buckets = written(dict.fromkeys(range(100, 110), 10.0))
    assert buckets.average(119.0) is None
    assert buckets.record(119, 4.0).average(119.0) == 4.0


def test_means_are_cut_after_six_digits() -> None:
    assert written({100: 2.0, 101: 0.0, 102: 0.0}).average(102.0) == 0.666666


def test_newer_seconds_weigh_more_when_asked_for() -> None:
    # A window of ten decays by 1 - 0.0001 ** 0.1 = 0.6018928...
    buckets = written({100: 10.0, 101: 10.0, 102: 5.0, 103: 5.0})
    expected = sum(
        value * 0.6018928294465028 * 0.3981071705534972**age for age, value in enumerate((5.0, 5.0, 10.0, 10.0))
    )
    weighted = buckets.average(103.0, is_weighted=True)
    assert weighted is not None
    assert abs(weighted - expected) < 1e-9


def test_a_second_before_the_first_is_ignored() -> None:
    assert written({100: 4.0}).record(99, 100.0).average(100.0) == 4.0


def test_seconds_that_nobody_measured_can_be_taken_to_be_like_the_last() -> None:
    buckets = written(dict.fromkeys(range(100, 110), 10.0)).carried(115)
    assert buckets.average(115.0) == 10.0
    assert buckets.carried(300).average(300.0) == 10.0
    assert Buckets(window_s=10).carried(115).average(115.0) is None


def test_a_shorter_window_keeps_the_newest_values() -> None:
    buckets = written({second: float(second) for second in range(100, 110)})
    assert buckets.resized(2).average(109.0) == 108.5
    assert buckets.resized(20).average(109.0) == 104.5
