"""What the soak calls growth, on processes that were made up."""

import random

from bench.soak.watching import Sample, Watched, slope_of, trend


def watched(*rss_mib: float, fds: list[int] | None = None) -> Watched:
    samples = [
        Sample(at=2.0 * index, is_calm=True, rss_mib=size, pss_mib=size, fds=20, sockets=5, threads=3)
        for index, size in enumerate(rss_mib)
    ]
    if fds is not None:
        samples = [
            Sample(
                at=one.at,
                is_calm=one.is_calm,
                rss_mib=one.rss_mib,
                pss_mib=one.pss_mib,
                fds=count,
                sockets=one.sockets,
                threads=one.threads,
            )
            for one, count in zip(samples, fds, strict=True)
        ]
    return Watched(pid=1, role="gateway", is_spared=False, samples=samples)


def test_a_process_that_grows_all_the_time_is_complained_about() -> None:
    found = trend(watched(*(50 + 0.05 * index for index in range(300))))

    assert found.growth_mib > 11
    assert len(found.complaints) == 1
    assert "memory grew by 12.0 MiB, 4.0 allowed" in found.complaints[0]


def test_growth_during_the_warm_up_is_none() -> None:
    found = trend(watched(*(min(20.0 + index, 80.0) for index in range(300))))

    assert found.growth_mib == 0
    assert found.complaints == []


def test_odd_samples_do_not_make_a_trend() -> None:
    chance = random.Random(4)
    sizes = [50 + chance.uniform(-1, 1) + (30 if index % 25 == 0 else 0) for index in range(300)]

    assert abs(trend(watched(*sizes)).growth_mib) < 1


def test_descriptors_that_are_not_closed_are_complained_about() -> None:
    found = trend(watched(*([50.0] * 300), fds=[20 + index // 10 for index in range(300)]))

    assert [words for words in found.complaints if words.startswith("fds grew")] == found.complaints != []


def test_the_slope_of_a_line_is_its_own() -> None:
    assert slope_of([(float(at), 3.0 + 0.5 * at) for at in range(40)]) == 0.5
