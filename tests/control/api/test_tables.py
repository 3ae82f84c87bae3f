"""Tables: durations as kubectl writes them, and cells by JSONPath."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fairlead.control.api import jsonpath
from fairlead.control.api.tables import age, duration, layout_of, table
from fairlead.dialects.base import Column

NOW = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (5 * 3600 + 600, "5h10m"),
        (30 * 3600, "30h"),
        (5 * 86400 + 3 * 3600, "5d3h"),
        (200 * 86400, "200d"),
        (3 * 365 * 86400 + 20 * 86400, "3y20d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations_have_the_units_that_say_something(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("timestamp", [None, "", "yesterday"])
def test_an_age_that_is_not_known_says_so(timestamp: Any) -> None:
    assert age(timestamp, NOW) == "<unknown>"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".status.state", ["Available"]),
        ("status.state", ["Available"]),
        (".status.conditions[0].type", ["Ready"]),
        (".status.conditions[-1].type", ["Live"]),
        ('.status.conditions[?(@.type=="Live")].status', ["False"]),
        (".status.shares[?(@.latest==true)].percent", [10]),
        (".status.shares[?(@.percent==90)].latest", [False]),
        (".status.shares[?(@.latest=='true')].percent", []),
        (".status.conditions[*].type", ["Ready", "Live"]),
        (".metadata.annotations['a.b/c']", ["x"]),
        (r".metadata.annotations.a\.b/c", ["x"]),
        (".missing.deeper", []),
        (".status[", []),
        (".status.state[0]", []),
    ],
)
def test_a_path_finds_every_value_or_nothing(path: str, found: list[Any]) -> None:
    conditions = [{"type": "Ready", "status": "True"}, {"type": "Live", "status": "False"}]
    document = {
        "metadata": {"annotations": {"a.b/c": "x"}},
        "status": {
            "state": "Available",
            "conditions": conditions,
            "shares": [{"latest": True, "percent": 10}, {"latest": False, "percent": 90}],
        },
    }

    assert jsonpath.find(document, path) == found


def test_a_table_has_a_name_the_kinds_columns_and_an_age() -> None:
    columns = (
        Column(name="State", type="string", path=".status.state"),
        Column(name="Replicas", type="integer", path=".status.replicas", priority=1),
        Column(name="Ready", type="boolean", path=".status.ready"),
        Column(name="Since", type="date", path=".status.since"),
    )
    documents: list[dict[str, Any]] = [
        {
            "metadata": {"name": "a", "creationTimestamp": "2026-01-09T00:00:00Z"},
            "status": {"state": "Up", "replicas": 2, "ready": True, "since": "2026-01-09T23:59:00Z"},
        },
        {"metadata": {"name": "b"}},
    ]

    shown = table(layout_of(columns), documents, metadata={}, now=NOW)

    assert [c["name"] for c in shown["columnDefinitions"]] == ["Name", "State", "Replicas", "Ready", "Since", "Age"]
    assert [c["priority"] for c in shown["columnDefinitions"]] == [0, 0, 1, 0, 0, 0]
    assert [row["cells"] for row in shown["rows"]] == [
        ["a", "Up", 2, True, "60s", "24h"],
        ["b", "", None, None, "<unknown>", "<unknown>"],
    ]
    assert shown["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


@pytest.mark.parametrize(("include", "keys"), [("None", {"cells"}), ("Object", {"cells", "object"})])
def test_rows_carry_as_much_of_an_object_as_was_asked(include: str, keys: set[str]) -> None:
    shown = table(layout_of(()), [{"metadata": {"name": "a"}, "x": 1}], metadata={}, now=NOW, include=include)

    assert set(shown["rows"][0]) == keys
    assert shown["rows"][0].get("object", {}).get("x") == (1 if include == "Object" else None)
