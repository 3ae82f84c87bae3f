"""Metrics as values, and as Prometheus reads them (text format 0.0.4).

A worker hands its families to the gateway as values, so that the gateway can add up what replicas counted without
reading text. No I/O.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
Labels = dict[str, str]


class Sample(NamedTuple):
    """One line: the name it has (a histogram's lines have three), its labels and its value."""

    name: str
    labels: Labels
    value: float


class Family(msgspec.Struct):
    """All lines of one metric. `kind` is a counter, gauge, histogram or summary; a counter's lines end in `_total`, its
    name does not."""

    name: str
    kind: str
    text: str
    samples: list[Sample] = []

    def add(self, labels: Labels, value: float, suffix: str = "") -> None:
        """One more line."""
        self.samples.append(Sample(self.name + suffix, labels, value))

    def add_histogram(self, labels: Labels, bounds: Iterable[float], buckets: list[int], total: float) -> None:
        """The lines of one histogram; `buckets` are counts of their own, one more than there are bounds."""
        seen = 0
        for bound, bucket in zip((*map(repr, bounds), "+Inf"), buckets, strict=True):
            seen += bucket
            self.samples.append(Sample(f"{self.name}_bucket", {**labels, "le": bound}, seen))
        self.samples.append(Sample(f"{self.name}_count", labels, seen))
        self.samples.append(Sample(f"{self.name}_sum", labels, total))


def counter(name: str, text: str, *lines: tuple[Labels, float]) -> Family:
    """A counter with these lines."""
    family = Family(name, "counter", text)
    for labels, value in lines:
        family.add(labels, value, "_total")
    return family


def gauge(name: str, text: str, *lines: tuple[Labels, float]) -> Family:
    """A gauge with these lines."""
    family = Family(name, "gauge", text)
    for labels, value in lines:
        family.add(labels, value)
    return family


def write(families: Iterable[Family]) -> bytes:
    """The text of all families. One without lines is left out."""
    parts: list[str] = []
    for family in families:
        if not family.samples:
            continue
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        parts.append(f"# HELP {name} {_help(family.text)}\n# TYPE {name} {family.kind}\n")
        parts += [f"{sample.name}{_labels(sample.labels)} {_number(sample.value)}\n" for sample in family.samples]
    return "".join(parts).encode()


def _labels(labels: Labels) -> str:
    return (
        "{" + ",".join([f'{name}="{_value(value)}"' for name, value in sorted(labels.items())]) + "}" if labels else ""
    )


def _value(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _number(value: float) -> str:
    text = repr(float(value))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)
