"""The router of an InferenceGraph's pod, in the role and with the arguments of KServe's: any path leads to the graph,
and each of its steps is a call over HTTP."""

import json
from collections.abc import Mapping, Sequence

from fairlead.dataplane.spec import TcpSocket, WorkerSpec
from fairlead.dialects.kserve.graph.process import lower_router
from fairlead.errors import ConfigError
from fairlead.plan.model import ComponentName
from fairlead.pods.flags import Flags
from fairlead.pods.surroundings import host_of, namespace_of, pod_name

_FLAGS = {"graph-json": "", "port": "8080", "host": "", "inferencegraph-name": "", "enable-auth": "false"}
_SWITCHES = frozenset(("enable-auth",))
_NAME = "inferencegraph"


def started(words: Sequence[str], environ: Mapping[str, str]) -> WorkerSpec:
    """From the router's command line and environment. Raises `ConfigError`."""
    flags = Flags(words, _FLAGS, switches=_SWITCHES)
    if flags.is_on("enable-auth"):
        # Answering everybody would be the one wrong way to run a graph that is to be protected.
        raise ConfigError("--enable-auth: callers cannot be asked for a token here; put a gateway that can before it")
    name = flags.text("inferencegraph-name") or _NAME
    namespace = namespace_of(environ)
    return WorkerSpec(
        replica=pod_name(environ),
        namespace=namespace,
        service=name,
        component=ComponentName(name),
        revision=lower_router(_spec(flags), environ, name=name, namespace=namespace),
        http=TcpSocket(flags.text("host") or host_of(environ), flags.port("port")),
    )


def run(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until told to stop; gives the exit status."""
    spec = started(words, environ)
    from fairlead.dataplane.worker import main

    return main(spec, None)


def _spec(flags: Flags) -> Mapping[str, object]:
    try:
        value = json.loads(flags.text("graph-json"))
    except ValueError as error:
        raise ConfigError(f"--graph-json is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError("--graph-json is no object")
    return value
