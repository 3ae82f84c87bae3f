"""`fairlead router`: the container of an InferenceGraph."""

import os
from typing import Annotated

from cyclopts import Parameter

from fairlead.cli.pod_logging import in_pod


def router(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Route requests through an InferenceGraph, as KServe's router does.

    Answers any path, and /readyz. $PROPAGATE_HEADERS are regular expressions, with commas between them, of the request
    headers that go on to the services.

    Parameters
    ----------
    arguments
        --graph-json JSON (the spec of the graph, with the URL of every service) --port 8080 --host ADDRESS
    """
    from fairlead.pods.router import run

    return in_pod(lambda: run(arguments, os.environ), level=os.environ.get("FAIRLEAD_LOG_LEVEL", "INFO"))
