"""`fairlead agent`: the sidecar of a KServe pod."""

import os
from typing import Annotated

from cyclopts import Parameter

from fairlead.cli.pod_logging import in_pod


def agent(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Stand before a model server in its pod, as KServe's agent does: log payloads, gather batches, fetch models.

    Every request to port 9081 goes on to the server at 127.0.0.1. A probe that carries K-Network-Probe is answered with
    what the server says to its own, which is in $SERVING_READINESS_PROBE.

    Parameters
    ----------
    arguments
        --component-port 8080 --port 9081 --host ADDRESS
        --enable-batcher --max-batchsize 32 --max-latency 5000 (milliseconds)
        --log-url URL --log-mode all|request|response --source-uri POD --inference-service NAME --namespace NAMESPACE
        --endpoint NAME --component NAME --metadata-headers A,B --metadata-annotations K=V --log-store-path PATH
        --log-store-format json|csv|parquet --log-batch-size N --log-batch-interval 30s --logger-ca-cert-file FILE
        --enable-puller --config-dir /mnt/configs --model-dir /mnt/models
    """
    from fairlead.pods.agent import run

    return in_pod(lambda: run(arguments, os.environ), level=os.environ.get("FAIRLEAD_LOG_LEVEL", "INFO"))
