"""From the agent's command line to the worker before the server."""

import pytest

from fairlead.dataplane.spec import TcpSocket
from fairlead.errors import ConfigError
from fairlead.plan.model import Batching
from fairlead.pods.agent import flags_of, spec_of

ARGUMENTS = (
    *("--enable-puller", "--config-dir", "/mnt/configs", "--model-dir", "/mnt/models"),
    *("--enable-batcher", "--max-batchsize", "16"),
    *(
        "--log-url",
        "s3://logs/here",
        "--source-uri",
        "iris-pod",
        "--log-mode",
        "request",
        "--inference-service",
        "iris",
    ),
    *("--namespace", "team", "--endpoint", "", "--component", "predictor", "--log-store-path", "deep"),
    *("--log-store-format", "csv", "--log-batch-size", "5", "--log-batch-interval", "1m30s"),
    *("--metadata-headers", "A,B", "--metadata-annotations", "k=v,x=y=z", "--logger-tls-skip-verify", "false"),
    *("--component-port", "8085"),
)


def test_the_operator_s_arguments_are_the_worker_s() -> None:
    flags = flags_of(ARGUMENTS)
    spec = spec_of(flags, {})

    assert (flags.unknown, flags.rest) == ([], [])
    assert (spec.replica, spec.service, spec.namespace, spec.component) == ("iris-pod", "iris", "team", "predictor")
    assert (spec.http, spec.placements[0].address) == (TcpSocket("127.0.0.1", 9081), "127.0.0.1:8085")
    assert spec.revision.batching == Batching(max_rows=16, max_latency_s=5.0)
    (logger,) = spec.revision.loggers
    assert (logger.url, logger.mode, logger.metadata_headers) == ("s3://logs/here", "request", ("A", "B"))
    assert logger.annotations == (("k", "v"), ("x", "y=z"))
    assert logger.store is not None
    assert (logger.store.path, logger.store.format, logger.store.batch_size) == ("deep", "csv", 5)
    assert logger.store.interval_s == 90.0
    assert not flags.is_on("logger-tls-skip-verify")


def test_without_work_it_only_passes_on() -> None:
    revision = spec_of(flags_of(()), {}).revision

    assert (revision.loggers, revision.batching) == ((), None)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--enable-batcher", "--max-batchsize=0"), "--max-batchsize '0': must be a whole number above 0"),
        (("--log-url=http://a", "--log-mode=some"), "--log-mode 'some': there are all, request, response"),
        (("--log-url=s3://a", "--log-batch-interval=often"), "--log-batch-interval: 'often' is not a duration"),
        (("--component-port=x",), "--component-port 'x': must be a whole number"),
    ],
)
def test_what_cannot_be_read_is_named(words: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        spec_of(flags_of(words), {})
