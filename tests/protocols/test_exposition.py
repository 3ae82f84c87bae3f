"""Metrics that a program of somebody's own wrote, read and written again."""

import math

from fairlead.protocols.exposition import read, write

TEXT = r"""# HELP asked_total How often, "said" \\ so
# TYPE asked_total counter
asked_total{endpoint="/a",name="q\"u\\ote\nd"} 3.0
# HELP took_seconds How long
# TYPE took_seconds histogram
took_seconds_bucket{le="0.5"} 1.0
took_seconds_bucket{le="+Inf"} 2.0
took_seconds_count 2.0
took_seconds_sum 1.5
# HELP now A moment
# TYPE now gauge
now 12.0
"""


def test_what_is_read_is_written_again() -> None:
    families = read(TEXT)

    assert [(one.name, one.kind, len(one.samples)) for one in families] == [
        ("asked", "counter", 1),
        ("took_seconds", "histogram", 4),
        ("now", "gauge", 1),
    ]
    assert families[0].samples[0].labels == {"endpoint": "/a", "name": 'q"u\\ote\nd'}
    assert read(write(families).decode()) == families


def test_a_counter_without_the_usual_ending_keeps_its_name() -> None:
    (family,) = read("# TYPE odd counter\nodd 4 1234\n")

    assert (family.name, family.kind, family.samples[0].value) == ("odd", "untyped", 4.0)


def test_what_makes_no_sense_is_left_out() -> None:
    families = read('nonsense\nbad 1.2.3\n# EOF\n{} 1\nnot{a="b"} NaN\nleast -Inf\n')

    assert [one.name for one in families] == ["not", "least"]
    assert math.isnan(families[0].samples[0].value)
    assert families[1].samples[0].value == -math.inf
