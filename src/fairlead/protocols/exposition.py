"""Metrics as values, and as Prometheus reads them (text format 0.0.4).

A worker hands its families to the gateway as values, so that the gateway can add up what replicas counted without
reading text. No I/O.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
Labels = dict[str, str]
_SAID = re.compile(r"# (?P<what>HELP|TYPE) (?P<name>[a-zA-Z_:][\w:]*) ?(?P<text>.*)")
_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?\s*")
_VALUE = re.compile(r"[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|Inf|NaN)")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


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


def read(text: str) -> list[Family]:
    """The families in such a text, without what makes no sense in it: it was written by a program of somebody's own."""
    made: dict[str, Family] = {}
    kinds: dict[str, str] = {}
    texts: dict[str, str] = {}
    for line in text.splitlines():
        if (said := _SAID.match(line)) is not None:
            (kinds if said["what"] == "TYPE" else texts)[said["name"]] = said["text"]
        elif (found := _SAMPLE.fullmatch(line)) is not None and _VALUE.fullmatch(found["value"]):
            name = _family_of(found["name"], kinds)
            kind = kinds.get(name, "untyped")
            own = name.removesuffix("_total") if kind == "counter" else name
            # A counter's name ends in `_total` here; one that was given another is no less a sum.
            kind = "untyped" if kind == "counter" and own == name else kind
            family = made.setdefault(own, Family(own, kind, _unescaped(texts.get(name, ""))))
            labels = {key: _unescaped(value) for key, value in _LABEL.findall(found["labels"] or "")}
            family.samples.append(Sample(found["name"], labels, float(found["value"])))
    return list(made.values())


def _family_of(name: str, kinds: dict[str, str]) -> str:
    """The name that the lines of a family share: histograms and summaries have several of their own."""
    for suffix in ("_bucket", "_count", "_sum"):
        whole = name.removesuffix(suffix)
        if whole != name and kinds.get(whole) in ("histogram", "summary"):
            return whole
    return name


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)


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
