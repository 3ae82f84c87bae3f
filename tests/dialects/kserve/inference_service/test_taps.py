from typing import Any

import pytest

from fairlead.errors import InvalidManifest
from fairlead.plan.model import Artifact, Batching, Logger, LogStore, LogStyle, SecretEntry, UnitName
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


def test_a_bucket_is_written_to_with_the_credentials_of_an_account_and_an_entry() -> None:
    storage = {
        "key": "credentials",
        "path": "audit",
        "parameters": {"format": "csv", "region": "eu"},
        "serviceAccountName": "auditor",
    }
    logger = {"mode": "all", "url": "s3://logs/a", "storage": storage, "batchSize": 4, "batchInterval": "1m30s"}

    assert loggers(logger)[0].store == LogStore(
        access=Artifact(
            uri="s3://logs/a",
            service_account="auditor",
            entry=SecretEntry(
                secret="storage-config", key="credentials", parameters=(("bucket", "logs"), ("region", "eu"))
            ),
        ),
        path="audit",
        format="csv",
        batch_size=4,
        interval_s=90.0,
    )
    assert loggers({"mode": "all", "url": "gs://logs"})[0].store == LogStore(
        access=Artifact(uri="gs://logs", service_account="logger-sa")
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"storage": {"parameters": {"format": "xml"}}}, "must be one of json, csv, parquet, got 'xml'"),
        ({"batchInterval": "soon"}, "'soon' is not a duration"),
    ],
)
def test_a_bucket_that_cannot_be_written_to_so_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidManifest, match=words):
        loggers({"mode": "all", "url": "s3://logs", **wrong})


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
