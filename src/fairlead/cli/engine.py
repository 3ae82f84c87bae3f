"""`fairlead engine`: the orchestrator container of a Seldon predictor."""

import os
from typing import Annotated

from cyclopts import Parameter

from fairlead.cli.pod_logging import in_pod


def engine(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Orchestrate the graph of a Seldon predictor, as the service orchestrator of its pod.

    Takes the arguments of Seldon Core's executor and finds the graph where it does, in $ENGINE_PREDICTOR. Besides
    those, --in-process NODE=FOLDER (any number of times) runs a prepackaged server of the graph in this process, on the
    model in FOLDER, and --host is the address to listen on (default: $FAIRLEAD_POD_HOST, else 127.0.0.1). Until it is
    stopped; SIGTERM lets it finish what it has begun.

    Parameters
    ----------
    arguments
        --sdep NAME --namespace NAMESPACE --predictor NAME --protocol seldon|v2|tensorflow --transport rest|grpc
        --http_port 8000 --grpc_port 5001 --prometheus_path /prometheus --full_health_checks --file YAML
        --log_work_buffer_size 10000 --log_write_timeout_ms 2000 --graceful_timeout 15s --in-process NODE=FOLDER
    """
    from fairlead.pods.surroundings import processors, thread_settings

    # Numeric libraries look once, when they are imported.
    os.environ.update(thread_settings(processors(), os.environ))
    from fairlead.pods.engine import level_of, run

    return in_pod(lambda: run(arguments, os.environ), level=level_of(arguments, os.environ))
