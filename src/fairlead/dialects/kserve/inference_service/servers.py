"""Model servers by their command lines: what of a server's flags the runtime in its place is told, under which name.

A server here is a runtime of ours that stands for an image. A flag becomes a parameter, or is one of those that only
tune the server itself (`quiet`: ports, logging), or is named in a warning: nothing that somebody wrote is dropped
without a word.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fairlead.dialects.catalog import Entry
from fairlead.dialects.kserve.inference_service.flags import flags_of
from fairlead.plan.model import Parameter, Protocol

KSERVE = "kserve"
"""The variant of runtimes that stand for a server of KServe's own."""
MLSERVER = "mlserver"
Read = Callable[[str], str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server. `name_flag` is what its model is called by; `folder_flag` is where it looks for the model. `speaks`
    are its protocols, the first one the preferred; a model's own wish goes before."""

    speaks: tuple[Protocol, ...]
    name_flag: str = "model_name"
    folder_flag: str = "model_dir"
    parameters: Mapping[str, Read] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset()
    takes_all: bool = False
    """Every flag is a parameter: the runtime itself knows which mean something."""
    holds_models: bool = True
    """Without a model of its own it serves those of TrainedModels."""
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command line says. `unused` are flags that mean nothing here."""

    name: str
    folder: str
    parameters: tuple[Parameter, ...]
    unused: tuple[str, ...]


_BOTH = (Protocol.V1, Protocol.V2)
_SDK = frozenset(
    (
        "http_port",
        "grpc_port",
        "enable_grpc",
        "enable_docs_url",
        "enable_latency_logging",
        "configure_logging",
        "event-loop",
        "event_loop",
        "max_threads",
    )
)
"""Flags of every KServe server that change nothing which a client could tell: HTTP, gRPC and the docs are always there,
and how many calls run at once follows from the limit on processors."""
_KSERVE = Server(speaks=_BOTH, quiet=_SDK)
_BOOSTING = Server(speaks=_BOTH, quiet=_SDK, parameters={"nthread": int})
_MLSERVER = Server(speaks=(Protocol.V2,))
SERVERS: Mapping[tuple[str, str], Server] = {
    ("sklearn", KSERVE): _KSERVE,
    ("xgboost", KSERVE): _BOOSTING,
    ("lightgbm", KSERVE): _BOOSTING,
    ("huggingface", KSERVE): Server(speaks=_BOTH, quiet=_SDK, takes_all=True, holds_models=False),
    ("huggingface", "vllm"): Server(
        speaks=_BOTH,
        name_flag="served-model-name",
        folder_flag="model",
        quiet=frozenset(("m", "port", "host", "uvicorn-log-level", "disable-log-requests")),
        takes_all=True,
        holds_models=False,
        env=(("KSERVE_OPENAI_ROUTE_PREFIX", ""),),
    ),
    ("tensorflow", ""): Server(
        speaks=(Protocol.TENSORFLOW,),
        folder_flag="model_base_path",
        quiet=frozenset(("port", "rest_api_port", "rest_api_timeout_in_ms", "rest_api_num_threads")),
    ),
    ("triton", ""): Server(
        speaks=(Protocol.V2,),
        name_flag="",
        folder_flag="model-store",
        quiet=frozenset(
            (
                "model-repository",
                "grpc-port",
                "http-port",
                "metrics-port",
                "allow-grpc",
                "allow-http",
                "allow-metrics",
                "strict-model-config",
                "disable-auto-complete-config",
                "log-verbose",
                "model-control-mode",
            )
        ),
    ),
    ("pytorch", "torchserve"): Server(
        speaks=_BOTH, name_flag="", folder_flag="", quiet=frozenset(("start", "model-store", "ts-config"))
    ),
    **{
        (explainer, ""): Server(
            speaks=_BOTH, quiet=_SDK | {"predictor_host", "workers"}, takes_all=True, holds_models=False
        )
        for explainer in ("shap", "art")
    },
    **{(flavour, MLSERVER): _MLSERVER for flavour in ("sklearn", "xgboost", "lightgbm", "mlflow", "huggingface")},
    ("python", MLSERVER): _MLSERVER,
}
"""By runtime and variant."""
_OF_IMPLEMENTATION = {
    "mlserver_sklearn": "sklearn",
    "mlserver_xgboost": "xgboost",
    "mlserver_lightgbm": "lightgbm",
    "mlserver_mlflow": "mlflow",
    "mlserver_huggingface": "huggingface",
}
_FRAMEWORKS = ("sklearn", "xgboost", "lightgbm")


def server_of(entry: Entry) -> Server | None:
    """The server that an entry of the catalog stands for; `None` for a user's own code and for what is no server."""
    return SERVERS.get((entry.runtime, entry.variant))


def settled(entry: Entry, env: Mapping[str, str], flags: Mapping[str, str]) -> Entry | None:
    """The entry with its format: some images serve several, and are told which by a variable or a flag. `None` when it
    is one that nothing here serves."""
    if entry.runtime == "mlserver":
        implementation = env.get("MLSERVER_MODEL_IMPLEMENTATION", "")
        package = implementation.partition(".")[0]
        # A class of one's own is in the model's folder, whose settings name it.
        return Entry(runtime=_OF_IMPLEMENTATION.get(package, "python"), variant=MLSERVER)
    if entry.runtime == "predictive":
        framework = flags.get("framework", "sklearn")
        return Entry(runtime=framework, variant=KSERVE) if framework in _FRAMEWORKS else None
    if entry.runtime in _FRAMEWORKS and not entry.variant:
        return Entry(runtime=entry.runtime, variant=KSERVE)
    return entry


def read(server: Server, words: tuple[str, ...], known: frozenset[str] = frozenset()) -> Said:
    """A command line's flags. `known` are those that somebody else has looked at."""
    name = folder = ""
    parameters: dict[str, Parameter] = {}
    unused: dict[str, None] = {}
    for flag in flags_of(words):
        value = "true" if flag.value is None else flag.value
        if flag.name == server.name_flag:
            name = value
        elif flag.name == server.folder_flag:
            folder = value
        elif flag.name in server.quiet or flag.name in known or (flag.name == "workers" and value == "1"):
            continue
        elif flag.name in server.parameters or server.takes_all:
            parameter = _parameter(flag.name.replace("-", "_"), value, server.parameters.get(flag.name, str))
            parameters[parameter.name] = parameter
        else:
            unused[flag.name] = None
    return Said(name=name, folder=folder, parameters=tuple(parameters.values()), unused=tuple(unused))


def _parameter(name: str, text: str, reader: Read) -> Parameter:
    """One that cannot be read stays as it was written: the runtime has the better words for what it wants."""
    try:
        value = reader(text)
    except ValueError:
        value = text
    kinds = {int: "INT", float: "FLOAT"}
    return Parameter(name=name, value=value, type=kinds.get(type(value), "STRING"))
