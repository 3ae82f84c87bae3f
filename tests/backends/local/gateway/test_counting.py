"""What replicas counted is added up across processes, deaths and restarts."""

import itertools

import pytest

from fairlead.backends.local.gateway.counting import Ledger
from fairlead.dataplane.snapshots import Snapshot
from fairlead.protocols.exposition import Family, counter, gauge

SERVICES = {("ns", "iris")}


def told(replica: str, count: float, *, revision: str = "r1", memory: float = 5, **labels: str) -> Snapshot:
    families = [
        counter("calls", "Calls.", (labels, count)),
        gauge("held", "Held now.", ({}, memory)),
        counter("process_cpu_seconds", "CPU.", ({}, count)),
    ]
    return Snapshot("ns", "iris", "default", revision, replica, families)


def value(ledger: Ledger, name: str, living: set[str], **labels: str) -> list[float]:
    return [
        sample.value
        for family in ledger.families(living)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def test_a_replica_has_labels_that_say_whose_it_is() -> None:
    ledger = Ledger()
    ledger.take("a.sock", told("one", 3, namespace="theirs", service="predictions"))

    (family,) = [family for family in ledger.families({"a.sock"}) if family.name == "calls"]

    assert family.samples[0].labels == {
        "namespace": "ns",
        "exported_namespace": "theirs",
        "service": "predictions",
        "component": "default",
        "revision": "r1",
        "replica": "one",
    }


def test_a_killed_process_keeps_what_it_said_last_and_the_next_goes_on_from_there() -> None:
    ledger = Ledger()
    ledger.take("a.sock", told("one", 3, worker_id="1"))
    ledger.take("a.sock", told("one", 7, worker_id="1"))
    assert value(ledger, "calls_total", {"a.sock"}) == [7]
    assert value(ledger, "calls_total", set()) == [7]

    ledger.take("b.sock", told("one", 2, worker_id="2"))

    assert value(ledger, "calls_total", {"b.sock"}) == [9]


def test_a_process_whose_connection_comes_back_is_still_the_same() -> None:
    ledger = Ledger()
    ledger.take("a.sock", told("one", 3))
    ledger.keep(SERVICES, set())
    assert value(ledger, "calls_total", set()) == [3]

    ledger.take("a.sock", told("one", 5))

    assert value(ledger, "calls_total", {"a.sock"}) == [5]


def test_what_is_no_sum_is_shown_only_of_who_lives() -> None:
    ledger = Ledger()
    ledger.take("a.sock", told("one", 3))
    ledger.take("b.sock", told("two", 4))

    assert value(ledger, "held", {"b.sock"}) == [5]
    assert value(ledger, "process_cpu_seconds_total", {"b.sock"}) == [4]
    assert sum(value(ledger, "calls_total", {"b.sock"})) == 7


def test_summaries_are_added_without_their_quantiles() -> None:
    family = Family("took", "summary", "Took.", [])
    family.add({"quantile": "0.5"}, 9)
    family.add({}, 2, "_count")
    ledger = Ledger()
    for socket in ("a.sock", "b.sock"):
        ledger.take(socket, Snapshot("ns", "iris", "default", "r1", "one", [family]))

    assert value(ledger, "took_count", {"b.sock"}) == [4]
    assert value(ledger, "took", {"b.sock"}) == [9]
    assert value(ledger, "took", set()) == []


def test_many_gone_replicas_become_one_and_no_sum_changes() -> None:
    ledger = Ledger()
    counts = itertools.count(1)
    expected = 0
    for number in range(100):
        count = next(counts)
        expected += count
        ledger.take(f"{number}.sock", told(f"replica-{number}", count, revision=f"r{number % 3}"))
        ledger.keep(SERVICES, {f"{number}.sock"})
        assert sum(value(ledger, "calls_total", set())) == expected

    assert len(value(ledger, "calls_total", set())) <= 10
    # A name is used once: a series that jumps would be taken for a rate.
    assert value(ledger, "calls_total", set(), revision="earlier", replica="earlier-12") != []
    assert value(ledger, "calls_total", set(), replica="earlier-1") == []


def test_series_end_with_their_service() -> None:
    ledger = Ledger()
    ledger.take("a.sock", told("one", 3))

    ledger.keep(set(), {"a.sock"})

    assert ledger.families({"a.sock"}) == []


def test_what_was_counted_survives_the_one_who_adds_up() -> None:
    before = Ledger()
    before.take("a.sock", told("one", 3))
    before.take("b.sock", told("one", 4))
    after = Ledger()
    after.restore(before.saved())

    after.take("b.sock", told("one", 5))

    assert value(after, "calls_total", {"b.sock"}) == [8]


@pytest.mark.parametrize("count", [0, 1.5])
def test_a_process_that_is_asked_twice_counts_once(count: float) -> None:
    ledger = Ledger()
    for _ in range(3):
        ledger.take("a.sock", told("one", count))

    assert value(ledger, "calls_total", {"a.sock"}) == [count]
