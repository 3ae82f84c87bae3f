"""Payload logs in buckets, of a real S3 server that checks signatures."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio import fail_after, sleep

from fairlead.dataplane.metering import PayloadCounts
from fairlead.errors import ConfigError
from fairlead.plan.model import Artifact, Call, Logger, LogStore, LogStyle, Method, Protocol, UnitName
from support.s3 import S3Server, s3_server
from support.serving import Fake, Served, served, unit, worker_spec

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
URL = "s3://logs/kserve"
ASKED = {"instances": [[1.0, 2.0]]}
FOLDER = "logs/kserve/ns/dep/main/audit"


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    """One for each test: under load this server does not always take a name again whose file was deleted beneath it."""
    (tmp_path / "s3" / "logs").mkdir(parents=True)
    with s3_server(tmp_path / "s3", is_alone=True) as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> Path:
    return s3.root / FOLDER


def logging(s3: S3Server, mode: str = "all", **how: Any) -> Served:
    store = LogStore(access=Artifact(uri=URL), path="audit", **how)
    logger = Logger(unit=UnitName(""), mode=mode, url=URL, style=LogStyle.KSERVE, store=store)
    root = Call(unit=UnitName("m"), method=Method.PREDICT)
    spec = worker_spec([unit("m")], root, loggers=(logger,), protocol=Protocol.V1, log_env=s3.env())
    return served(spec, m=Fake("m", predict=lambda rows: rows * 2))


async def ask(surface: Served, *ids: str) -> None:
    for one in ids:
        assert (await surface.post("/v1/models/m:predict", ASKED, (b"ce-id", one.encode()))).status == 200


async def closed(surface: Served, events: int) -> PayloadCounts:
    """What became of so many events once the worker has stopped."""
    (counts,) = surface.meters.payload_log.values()
    with fail_after(60):
        while counts.sent + counts.failed < events:
            await sleep(0.005)
    surface.executor.close()
    return counts


async def test_a_request_and_its_answer_are_objects_of_the_same_id(s3: S3Server, bucket: Path) -> None:
    surface = logging(s3)
    await ask(surface, "e-1")
    counts = await closed(surface, 2)

    assert sorted(path.name for path in bucket.iterdir()) == ["e-1-request.json", "e-1-response.json"]
    assert json.loads((bucket / "e-1-request.json").read_bytes()) == ASKED
    assert json.loads((bucket / "e-1-response.json").read_bytes()) == {"predictions": [[2.0, 4.0]]}
    assert (counts.sent, counts.failed) == (2, 0)


async def test_an_object_holds_as_many_as_the_manifest_gathers(s3: S3Server, bucket: Path) -> None:
    surface = logging(s3, "request", format="csv", batch_size=2)
    await ask(surface, "e-1", "e-2", "e-3")
    await closed(surface, 3)  # which writes what is left
    with fail_after(60):
        while len(list(bucket.iterdir())) < 2:
            await sleep(0.005)

    assert sorted(path.name for path in bucket.iterdir()) == ["e-1-request.csv", "e-3-request.csv"]
    rows = list(csv.DictReader(io.StringIO((bucket / "e-1-request.csv").read_text())))
    assert [(row["id"], row["component"], json.loads(row["data"])) for row in rows] == [
        ("e-1", "main", ASKED),
        ("e-2", "main", ASKED),
    ]


async def test_what_waits_is_written_when_its_interval_is_over(s3: S3Server, bucket: Path) -> None:
    surface = logging(s3, "request", batch_size=100, interval_s=0.05)
    await ask(surface, "e-1", "e-2")
    with fail_after(20):
        while not (bucket / "e-1-request.json").exists():
            await sleep(0.01)

    # One payload or both: it depends on when the second came.
    written = json.loads((bucket / "e-1-request.json").read_text())
    assert written in (ASKED, [ASKED, ASKED])
    surface.executor.close()


async def test_objects_may_be_parquet(s3: S3Server, bucket: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="not run: pyarrow is not installed")
    surface = logging(s3, "response", format="parquet", batch_size=2)
    await ask(surface, "e-1", "e-2")
    await closed(surface, 2)

    rows = parquet.read_table(bucket / "e-1-response.parquet").to_pylist()
    assert [(row["id"], json.loads(row["data"])) for row in rows] == [
        ("e-1", {"predictions": [[2.0, 4.0]]}),
        ("e-2", {"predictions": [[2.0, 4.0]]}),
    ]


async def test_a_bucket_that_refuses_fails_no_request_and_shows_no_key(
    s3: S3Server, bucket: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {**s3.env(), "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "not-the-key"}
    store = LogStore(access=Artifact(uri=URL))
    logger = Logger(unit=UnitName(""), mode="request", url=URL, style=LogStyle.KSERVE, store=store)
    root = Call(unit=UnitName("m"), method=Method.PREDICT)
    spec = worker_spec([unit("m")], root, loggers=(logger,), protocol=Protocol.V1, log_env=wrong)
    surface = served(spec, m=Fake("m"))

    await ask(surface, "e-1")
    counts = await closed(surface, 1)

    assert (counts.sent, counts.failed) == (0, 1)
    assert "e-1-request.json was not written" in caplog.text
    assert "not-the-key" not in caplog.text
    assert not list(bucket.glob("*"))


async def test_a_format_that_is_not_known_is_refused_at_start(s3: S3Server) -> None:
    with pytest.raises(ConfigError, match="format 'xml' is not known; expected one of json, csv, parquet"):
        logging(s3, format="xml")
