from typing import Any

import pytest

from fairlead.errors import InvalidManifest
from fairlead.plan.model import Batching, Logger, LogStyle, UnitName
from support.isvc import isvc, lowered, model


def loggers(logger: dict[str, Any], **meta: Any) -> tuple[Logger, ...]:
    return lowered(isvc({**model(), "logger": logger}, **meta))[0].revision.loggers


def test_payloads_are_logged_in_kserves_words() -> None:
    logger = {
        "mode": "all",
        "url": "http://sink",
        "metadataHeaders": ["Foo"],
        "metadataAnnotations": ["team", "absent"],
    }

    assert loggers(logger, annotations={"team": "a"}) == (
        Logger(
            unit=UnitName(""),
            mode="all",
            url="http://sink",
            style=LogStyle.KSERVE,
            metadata_headers=("Foo",),
            annotations=(("team", "a"),),
        ),
    )


def test_a_logger_without_an_address_has_the_installations() -> None:
    assert loggers({"mode": "request"})[0].url == "http://default-broker"


def test_a_mode_is_needed() -> None:
    with pytest.raises(InvalidManifest, match="invalid logger type"):
        loggers({"url": "http://sink"})


def test_batches_have_the_agents_defaults() -> None:
    def batching(batcher: dict[str, Any]) -> Batching | None:
        return lowered(isvc({**model(), "batcher": batcher}))[0].revision.batching

    assert batching({}) == Batching(max_rows=32, max_latency_s=5.0)
    assert batching({"maxBatchSize": 8, "maxLatency": 250}) == Batching(max_rows=8, max_latency_s=0.25)
    with pytest.raises(InvalidManifest, match="maxLatency"):
        batching({"maxLatency": 0})
