"""The JSONPath of scripts and waits."""

from typing import Any

import pytest

from fairlead.cli.exits import UsageError
from fairlead.cli.jsonpath import lookup

ITEM: dict[str, Any] = {
    "metadata": {"annotations": {"a.b/c": "dotted"}},
    "status": {
        "state": "Available",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}],
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".status.state", ["Available"]),
        (".status.missing", []),
        (".metadata.annotations['a.b/c']", ["dotted"]),
        (".metadata.annotations.a\\.b/c", ["dotted"]),
        (".status.conditions[0].type", ["Ready"]),
        (".status.conditions[-1].type", ["Other"]),
        (".status.conditions[9].type", []),
        (".status.conditions[*].status", ["True", "False"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
    ],
)
def test_a_path_leads_to_every_value_it_matches(path: str, found: list[Any]) -> None:
    assert lookup(ITEM, path) == found


def test_a_path_that_cannot_be_read_says_from_where() -> None:
    with pytest.raises(UsageError, match=r"from '\[\?\(x\)\]' on"):
        lookup(ITEM, ".status[?(x)]")
