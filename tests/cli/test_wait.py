"""What `--for` means."""

from typing import Any

import pytest

from fairlead.cli.exits import UsageError
from fairlead.cli.wait import parse_test

READY: dict[str, Any] = {
    "kind": "SeldonDeployment",
    "metadata": {"generation": 1},
    "status": {"state": "Available", "replicas": 2, "conditions": [{"type": "Ready", "status": "True"}]},
}


@pytest.mark.parametrize(
    ("asked", "is_met"),
    [
        ("ready", True),
        ("condition=Ready", True),
        ("condition=ready=False", False),
        ("condition=Other", False),
        ("jsonpath={.status.state}=Available", True),
        ("jsonpath='{.status.state}'=Failed", False),
        ("jsonpath={.status.replicas}=2", True),
        ("jsonpath={.status.state}", True),
        ("jsonpath={.status.address}", False),
        ("delete", False),
    ],
)
def test_a_test_reads_the_object(asked: str, is_met: bool) -> None:
    assert parse_test(asked)(READY) is is_met


def test_only_a_deletion_is_met_by_an_absence() -> None:
    assert parse_test("delete")(None)
    assert not parse_test("ready")(None)


def test_a_condition_of_an_older_version_does_not_count() -> None:
    item = {**READY, "metadata": {"generation": 2}, "status": {**READY["status"], "observedGeneration": 1}}

    assert not parse_test("condition=Ready")(item)


@pytest.mark.parametrize("asked", ["", "soon", "condition=", "jsonpath=status"])
def test_what_cannot_be_waited_for_is_refused_with_examples(asked: str) -> None:
    with pytest.raises(UsageError, match="condition=Ready"):
        parse_test(asked)
