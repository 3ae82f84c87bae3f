"""Payload logs of a worker's graph: what is sent where, what is never waited for, and what is left out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio import fail_after, sleep
from bench.ports import free_ports

from fairlead.dataplane.payload_log.event import Event
from fairlead.dataplane.payload_log.kafka_sink import KafkaSink
from fairlead.dataplane.payload_log.opening import address_of
from fairlead.dataplane.payload_log.redaction import redacted
from fairlead.errors import ConfigError
from fairlead.plan.model import Branch, Call, Feedback, Logger, LogStyle, Method, Protocol, UnitName
from support.cloud_event_sink import CloudEventSink, cloud_event_sink
from support.serving import Fake, Served, served, unit, worker_spec

pytestmark = pytest.mark.anyio

ROW = {"data": {"ndarray": [[1.0, 2.0]]}}
PUID = (b"seldon-puid", b"p-1")


@pytest.fixture
def sink() -> Iterator[CloudEventSink]:
    with cloud_event_sink() as server:
        yield server


def logged(url: str, mode: str = "all", **fields: Any) -> Served:
    """A model `m` whose payloads are logged."""
    logger = Logger(unit=UnitName("m"), mode=mode, url=url, **fields)
    feedback = Feedback(unit=UnitName("m"), accepts=True)
    spec = worker_spec(
        [unit("m")], Call(unit=UnitName("m"), method=Method.PREDICT), feedback=feedback, loggers=(logger,)
    )
    return served(spec, m=Fake("m", predict=lambda value: value * 2))


async def test_a_request_and_its_answer_are_events_in_seldons_words(sink: CloudEventSink) -> None:
    await logged(sink.url).post("/api/v1.0/predictions", ROW, PUID)

    request, response = sorted(sink.wait(2), key=lambda event: event.headers["ce-type"])
    assert request.headers["ce-type"] == "io.seldon.serving.inference.request"
    assert response.headers["ce-type"] == "io.seldon.serving.inference.response"
    for event in (request, response):
        assert {name: event.headers[f"ce-{name}"] for name in ("specversion", "source", "modelid", "requestid")} == {
            "specversion": "1.0",
            "source": "http://:8000/",
            "modelid": "m",
            "requestid": "p-1",
        }
        assert event.headers["ce-inferenceservicename"] == "dep"
        assert event.headers["ce-namespace"] == "ns"
        assert event.headers["ce-endpoint"] == "main"
        assert event.headers["ce-protocol"] == "seldon"
        assert event.headers["content-type"] == "application/json"
    assert request.headers["ce-id"] != response.headers["ce-id"]
    assert json.loads(request.data) == ROW
    assert json.loads(response.data)["data"]["ndarray"] == [[2.0, 4.0]]


@pytest.mark.parametrize("mode", ["request", "response"])
async def test_a_mode_logs_one_of_the_two(sink: CloudEventSink, mode: str) -> None:
    surface = logged(sink.url, mode)
    await surface.post("/api/v1.0/predictions", ROW)
    await surface.post("/api/v1.0/predictions", ROW)

    assert {event.headers["ce-type"].rpartition(".")[2] for event in sink.wait(2)} == {mode}


async def test_rewards_are_events_of_their_own(sink: CloudEventSink) -> None:
    await logged(sink.url, "response").post("/api/v1.0/feedback", {"reward": 1.0, "request": ROW})

    (event,) = sink.wait(1)
    assert event.headers["ce-type"] == "io.seldon.serving.feedback"
    assert json.loads(event.data)["reward"] == 1.0


async def test_an_event_has_the_id_that_logs_and_traces_know_the_request_by(sink: CloudEventSink) -> None:
    await logged(sink.url, "request").post("/api/v1.0/predictions", ROW, (b"x-request-id", b"id-7"))

    (event,) = sink.wait(1)
    assert event.headers["ce-xrequestid"] == "id-7"


async def test_a_request_may_ask_not_to_be_logged(sink: CloudEventSink) -> None:
    surface = logged(sink.url, "request")
    await surface.post("/api/v1.0/predictions", ROW, (b"seldon-skip-logging", b"true"))
    await surface.post("/api/v1.0/predictions", ROW, (b"seldon-puid", b"logged"))

    assert [event.headers["ce-requestid"] for event in sink.wait(1)] == ["logged"]


async def test_compressed_requests_are_logged_as_what_they_say(sink: CloudEventSink) -> None:
    import gzip

    body = gzip.compress(json.dumps(ROW).encode())
    await logged(sink.url, "request").post("/api/v1.0/predictions", body, (b"content-encoding", b"gzip"))

    assert json.loads(sink.wait(1)[0].data) == ROW


async def test_a_combiner_logs_what_enters_its_children_and_the_result(sink: CloudEventSink) -> None:
    models = tuple(Call(unit=UnitName(name), method=Method.PREDICT) for name in "ab")
    root = Branch(name=UnitName("c"), choices=models, combine=UnitName("c"))
    logger = Logger(unit=UnitName("c"), mode="all", url=sink.url)
    spec = worker_spec([unit(name) for name in "abc"], root, loggers=(logger,))
    surface = served(spec, a=Fake("a"), b=Fake("b"), c=Fake("c", aggregate=lambda values: values[0] + values[1]))
    await surface.post("/api/v1.0/predictions", ROW)

    bodies = {event.headers["ce-type"].rpartition(".")[2]: json.loads(event.data) for event in sink.wait(2)}
    assert bodies["request"] == ROW
    assert bodies["response"]["data"]["ndarray"] == [[2.0, 4.0]]


async def test_kserves_events_share_an_id_and_carry_the_headers_asked_for(sink: CloudEventSink) -> None:
    surface = logged(sink.url, style=LogStyle.KSERVE, metadata_headers=("X-Tenant",), annotations=(("team", "a"),))
    await surface.post("/api/v1.0/predictions", ROW, (b"ce-id", b"e-7"), (b"x-tenant", b"t1"), (b"x-other", b"no"))

    events = sink.wait(2)
    assert {event.headers["ce-id"] for event in events} == {"e-7"}
    assert {event.headers["ce-type"] for event in events} == {
        "org.kubeflow.serving.inference.request",
        "org.kubeflow.serving.inference.response",
    }
    assert json.loads(events[0].headers["ce-metadata"]) == {"X-Tenant": ["t1"]}
    assert json.loads(events[0].headers["ce-annotations"]) == {"team": "a"}
    assert events[0].headers["ce-component"] == "main"


async def test_kserves_events_of_a_request_without_an_id_share_a_new_one(sink: CloudEventSink) -> None:
    logger = Logger(unit=UnitName("m"), mode="all", url=sink.url, style=LogStyle.KSERVE)
    root = Call(unit=UnitName("m"), method=Method.PREDICT)
    surface = served(worker_spec([unit("m")], root, protocol=Protocol.V1, loggers=(logger,)), m=Fake("m"))
    for _ in range(2):
        await surface.post("/v1/models/m:predict", b'{"instances": [[1.0]]}')

    events = sink.wait(4)
    ids = [event.headers["ce-id"] for event in events]
    assert {ids.count(one) for one in ids} == {2}
    assert "" not in ids


async def test_serving_goes_on_while_a_sink_hangs_and_the_drops_are_counted(sink: CloudEventSink) -> None:
    sink.open.clear()
    logger = Logger(unit=UnitName("m"), mode="request", url=sink.url)
    spec = worker_spec(
        [unit("m")],
        Call(unit=UnitName("m"), method=Method.PREDICT),
        loggers=(logger,),
        annotations=(("seldon.io/executor-logger-queue-size", "3"),),
    )
    surface = served(spec, m=Fake("m"))

    answers = [await surface.post("/api/v1.0/predictions", ROW) for _ in range(40)]

    assert {answer.status for answer in answers} == {200}
    metrics = surface.meters.render().decode()
    (dropped,) = [line for line in metrics.splitlines() if 'outcome="dropped"' in line]
    assert float(dropped.rpartition(" ")[2]) >= 40 - 10 - 10 - 3
    sink.open.set()
    surface.executor.close()
    (counts,) = surface.meters.payload_log.values()
    assert counts.sent + counts.dropped + counts.failed == 40


async def test_a_sink_that_is_not_there_fails_no_request() -> None:
    surface = logged("http://127.0.0.1:9/")
    answer = await surface.post("/api/v1.0/predictions", ROW)
    surface.executor.close()

    assert answer.status == 200
    (counts,) = surface.meters.payload_log.values()
    assert (counts.sent, counts.failed) == (0, 2)


async def test_secret_fields_are_not_logged(sink: CloudEventSink) -> None:
    request = {"meta": {"tags": {"card": "4711", "kind": "x"}}, **ROW}
    await logged(sink.url, "request", redact=("meta.tags.card", "data.*")).post("/api/v1.0/predictions", request)

    assert json.loads(sink.wait(1)[0].data) == {
        "meta": {"tags": {"card": "[redacted]", "kind": "x"}},
        "data": {"ndarray": "[redacted]"},
    }


def test_what_cannot_be_read_is_not_logged_when_fields_are_secret() -> None:
    assert redacted(b"not json 4711", [("a",)]) == b'"[redacted: not JSON]"'
    assert json.loads(redacted(b'[{"a":{"b":1}},{"a":{"b":2,"c":3}}]', [("a", "b")])) == [
        {"a": {"b": "[redacted]"}},
        {"a": {"b": "[redacted]", "c": 3}},
    ]


async def test_files_hold_one_event_a_line_and_start_anew_when_full(tmp_path: Path) -> None:
    surface = logged(f"file://{tmp_path}/log?max_bytes=1000&keep=2", "request")
    for number in range(20):
        await surface.post("/api/v1.0/predictions", ROW, (b"seldon-puid", f"p-{number}".encode()))
    surface.executor.close()

    files = sorted((tmp_path / "log").iterdir())
    assert len(files) == 3  # two that are full, and the one being written
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert all(line["data"] == ROW and line["specversion"] == "1.0" for line in lines)
    assert "p-19" in {line["requestid"] for line in lines}


async def test_parquet_files_hold_the_bytes_and_the_attributes(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="not run: pyarrow is not installed")
    surface = logged(f"file://{tmp_path}?format=parquet", "request")
    await surface.post("/api/v1.0/predictions", ROW, PUID)
    surface.executor.close()

    (file,) = tmp_path.iterdir()
    (row,) = parquet.read_table(file).to_pylist()
    assert (row["requestid"], json.loads(row["data"])) == ("p-1", ROW)


@pytest.mark.slow
async def test_kafka_records_carry_the_attributes_as_headers() -> None:
    """Against the broker inside librdkafka: the real wire protocol over TCP, but not a real Kafka."""
    kafka = pytest.importorskip("confluent_kafka", reason="not run: confluent-kafka is not installed")
    cluster = kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(cluster.list_topics(timeout=10).brokers.values()))
    surface = logged(f"kafka://{broker.host}:{broker.port}/payloads", "request")
    await surface.post("/api/v1.0/predictions", ROW, PUID)
    surface.executor.close()

    consumer = kafka.Consumer(
        {
            "bootstrap.servers": f"{broker.host}:{broker.port}",
            "group.id": "test",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    consumer.subscribe(["payloads"])
    record = consumer.poll(30)
    consumer.close()
    assert record is not None
    assert record.error() is None
    assert json.loads(record.value()) == ROW
    headers = {name: value.decode() for name, value in record.headers()}
    assert headers["type"] == "io.seldon.serving.inference.request"
    assert (headers["requestid"], headers["content-type"]) == ("p-1", "application/json")


@pytest.mark.slow
async def test_kafka_that_is_down_is_one_line(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("confluent_kafka", reason="not run: confluent-kafka is not installed")
    (port,) = free_ports(1)
    sink = KafkaSink(f"kafka://127.0.0.1:{port}/payloads", {})
    event = Event(attributes={"id": "1"}, data=b"{}", content_type="application/json")
    with fail_after(10):
        while not caplog.messages:
            sink.send(event)
            await sleep(0.05)
    for _ in range(20):
        sink.send(event)
        await sleep(0.05)

    (message,) = caplog.messages
    assert message.startswith(f"payload log: Kafka at 127.0.0.1:{port}: ")
    assert message.endswith("; events wait for it")
    assert capfd.readouterr().err == ""


def test_addresses_come_from_the_logger_the_environment_or_not_at_all() -> None:
    assert address_of("http://a/b", {}) == "http://a/b"
    assert address_of("", {"REQUEST_LOGGER_DEFAULT_ENDPOINT": "http://broker"}) == "http://broker"
    assert address_of("broker.ns", {}) == "http://broker.ns"
    kafka = {"LOGGER_KAFKA_BROKER": "b:9092"}
    assert address_of("http://a", kafka) == "kafka://b:9092/seldon"
    assert address_of("", kafka | {"LOGGER_KAFKA_TOPIC": "t"}) == "kafka://b:9092/t"
    with pytest.raises(ConfigError, match="no address"):
        address_of("", {})


@pytest.mark.parametrize("url", ["ftp://a/b", "http://", "kafka:///t", "file://relative", "file:///x?format=csv"])
async def test_an_address_that_cannot_be_is_refused_at_start(url: str) -> None:
    with pytest.raises(ConfigError, match="payload log: "):
        logged(url)


@pytest.mark.parametrize("name", ["m", ""])
async def test_explanations_are_logged_too(sink: CloudEventSink, name: str) -> None:
    logger = Logger(unit=UnitName(name), mode="all", url=sink.url)
    root = Call(unit=UnitName("m"), method=Method.PREDICT)
    spec = worker_spec([unit("m")], root, loggers=(logger,), protocol=Protocol.V1)
    asked = {"instances": [[1.0, 2.0]]}

    await served(spec, m=Fake("m", explain=lambda rows: rows / 2)).post("/v1/models/m:explain", asked)

    request, response = sorted(sink.wait(2), key=lambda event: event.headers["ce-type"])
    assert json.loads(request.data) == asked
    assert json.loads(response.data)["predictions"] == [[0.5, 1.0]]
