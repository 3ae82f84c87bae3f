"""A soak's figures as a table and as JSON."""

import platform
from datetime import date
from typing import Any

from bench.soak.running import Outcome
from bench.soak.tally import CALM, STORM
from bench.soak.watching import as_json


def show(outcome: Outcome) -> None:
    """Print what happened, what grew, and what is wrong."""
    tally = outcome.tally
    print(f"{'traffic':<20} {'ended':>8}  {'p50 ms':>7} {'p99 ms':>7} {'storm p99':>9}  how")
    for kind, counts in sorted(tally.counts.items()):
        times = [(CALM, 0.5), (CALM, 0.99), (STORM, 0.99)]
        p50, p99, storm = (_or_dash(tally.percentile_ms(kind, phase, share)) for phase, share in times)
        words = ", ".join(f"{word} {count}" for word, count in counts.most_common())
        print(f"{kind:<20} {counts.total():>8}  {p50:>7} {p99:>7} {storm:>9}  {words}")
    print()
    titles = ("process", "rss MiB", "pss MiB", "growth", "fds", "sockets", "threads", "s")
    print("{:<24} {:>8} {:>8} {:>7} {:>9} {:>9} {:>8} {:>5}".format(*titles))
    for one in sorted(outcome.trends, key=lambda one: one.role):
        spans = [f"{first}-{last}" for first, last in (one.fds, one.sockets, one.threads)]
        print(
            f"{one.role:<24} {one.rss_mib:>8} {one.pss_mib:>8} {one.growth_mib:>+7.2f} "
            f"{spans[0]:>9} {spans[1]:>9} {spans[2]:>8} {one.span_s:>5}"
        )
    print()
    killed = ", ".join(f"{what} {count}" for what, count in sorted(outcome.killed.items()))
    print(f"{outcome.requests_per_s} requests/s for {outcome.seconds} s; refused: {outcome.refused_share:.2%}")
    print(f"killed: {killed}")
    print(f"every replica back {outcome.whole_after_s} s after the last kill")
    print(
        "files of the installation: {} then {}; lines in the payload log: {}".format(
            *outcome.files, outcome.payload_lines
        )
    )
    print(f"connections that the killed gateways broke: {outcome.gateway_excused}")
    print("refusals: " + "; ".join(f"{count} x {words[:160]}" for words, count in tally.words.most_common(12)))
    for violation in tally.violations:
        print(f"  violation: {violation}")
    print("; ".join(outcome.complaints) or "nothing leaked, nothing was wrong")


def as_document(outcome: Outcome) -> dict[str, Any]:
    """The same for programs."""
    tally = outcome.tally
    phases = [(CALM, 0.5, "p50_ms"), (CALM, 0.99, "p99_ms"), (STORM, 0.99, "storm_p99_ms")]
    return {
        "date": date.today().isoformat(),
        "machine": platform.machine(),
        "seconds": outcome.seconds,
        "requests_per_s": outcome.requests_per_s,
        "refused_share": outcome.refused_share,
        "killed": dict(outcome.killed),
        "whole_after_s": outcome.whole_after_s,
        "files": outcome.files,
        "payload_lines": outcome.payload_lines,
        "gateway_broke": outcome.gateway_excused,
        "traffic": {
            kind: {
                **counts,
                **{name: tally.percentile_ms(kind, phase, share) for phase, share, name in phases},
            }
            for kind, counts in sorted(tally.counts.items())
        },
        "processes": as_json(outcome.trends),
        "refusals": dict(tally.words.most_common(40)),
        "violations": tally.violations,
        "complaints": outcome.complaints,
    }


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
