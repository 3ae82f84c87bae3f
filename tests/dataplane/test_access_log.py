"""Lines about requests."""

import json
from typing import Any

import pytest

from fairlead.dataplane.access_log import AccessLog, open_log
from fairlead.dataplane.access_policy import share_of
from fairlead.errors import ConfigError


def lines(log: AccessLog, written: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written]


@pytest.mark.parametrize(("policy", "share"), [("off", None), ("", None), ("errors", 0), ("0.01", 0.01), ("all", 1)])
def test_a_policy_is_a_word_or_a_share(policy: str, share: float | None) -> None:
    assert share_of(policy) == share
    assert (open_log(policy) is None) == (share is None)


@pytest.mark.parametrize("policy", ["some", "2", "-1", "nan"])
def test_another_policy_is_refused_with_what_would_be_accepted(policy: str) -> None:
    with pytest.raises(ConfigError, match=r"off, errors, all"):
        share_of(policy)


def test_failures_are_always_logged_and_good_answers_by_their_share() -> None:
    written: list[bytes] = []
    log = AccessLog(0.0, write=written.append)

    log.log(200)
    log.log("OK")
    log.log(503)
    log.log("UNAVAILABLE")

    said = lines(log, written)
    assert [line.get("status", line.get("code")) for line in said] == [503, "UNAVAILABLE"]
    assert all(line["time"].endswith("Z") for line in said)


def test_a_line_is_one_line_without_what_is_empty() -> None:
    written: list[bytes] = []
    AccessLog(1.0, write=written.append).log(
        200, path="/a\nb\x1b[31m", request_id=b"", duration_s=0.12345678, user_agent=b"x" * 9999
    )

    (line,) = lines(AccessLog(1.0), written)
    assert written[0].count(b"\n") == 1
    assert line["path"] == "/a?b?[31m"
    assert line["duration_s"] == 0.123457
    assert len(line["user_agent"]) == 256
    assert "request_id" not in line
