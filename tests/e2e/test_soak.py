"""The soak of `make soak` for some seconds: mixed traffic and hostile clients while processes are killed."""

from pathlib import Path

import pytest
from bench.soak.running import Options, soak

pytestmark = pytest.mark.slow


def test_nothing_is_wrong_or_lost_while_processes_are_killed(tmp_path: Path) -> None:
    options = Options(
        seconds=7,
        kill_every_s=1,
        sample_every_s=0.5,
        idle=60,
        gateway_kills=0,
        with_tensorflow=False,
        with_trends=False,
    )
    said: list[str] = []

    outcome = soak(options, tmp_path, say=said.append)

    assert outcome.tally.violations == []
    assert outcome.complaints == []
    assert outcome.killed.total() >= 4
    assert outcome.tally.requests > 500
    assert said
