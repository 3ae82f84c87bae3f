"""The bucket, with a clock that the test moves."""

import pytest

from fairlead.backends.kubernetes.operator.limiting import Bucket


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


def test_a_burst_is_let_through_and_what_follows_is_spread() -> None:
    clock = Clock()
    bucket = Bucket(10.0, 3, clock, clock.sleep)

    assert [bucket.take() for _ in range(5)] == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.2])


def test_no_more_is_saved_up_than_a_burst() -> None:
    clock = Clock()
    bucket = Bucket(10.0, 2, clock, clock.sleep)
    clock.now_s = 100.0

    assert [bucket.take() for _ in range(3)] == pytest.approx([0.0, 0.0, 0.1])


def test_a_token_that_is_not_spare_is_put_back() -> None:
    clock = Clock()
    bucket = Bucket(1.0, 1, clock, clock.sleep)

    assert [bucket.spare() for _ in range(3)] == [True, False, False]
    clock.now_s = 1.0
    assert bucket.spare()


@pytest.mark.anyio
async def test_whoever_comes_too_early_waits() -> None:
    clock = Clock()
    bucket = Bucket(2.0, 1, clock, clock.sleep)

    await bucket.wait()
    await bucket.wait()

    assert clock.slept_s == [0.5]
