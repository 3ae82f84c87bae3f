"""From a container of a component's pod to a unit: what code runs, with which arguments, environment and model.

An image that the catalog knows runs in our own process; any other is a container.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fairlead.dialects.catalog import Catalog, Entry
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.config import CredentialsConfig
from fairlead.dialects.kserve.header_patterns import header_patterns
from fairlead.dialects.kserve.inference_service import servers
from fairlead.dialects.kserve.inference_service.artifacts import STORAGE_URI, find_artifact, hub_artifact, narrowed
from fairlead.dialects.kserve.inference_service.containers import container_of, ports_of, variables_of, words_of
from fairlead.dialects.kserve.inference_service.flags import settings_of
from fairlead.dialects.kserve.inference_service.pods import Placed, Pod
from fairlead.dialects.kserve.inference_service.template import PREDICTOR
from fairlead.dialects.kserve.trained_model.parents import EVICT_ANNOTATION
from fairlead.dialects.resources import lower_resources
from fairlead.dialects.variables import literals_of, lower_env_from
from fairlead.plan.model import Artifact, EnvVar, Parameter, Protocol, Unit, UnitName, Upstream, UserCode

_PROTOCOLS = {"v1": Protocol.V1, "v2": Protocol.V2, "grpc-v2": Protocol.V2, "grpc-v1": Protocol.TENSORFLOW}
# Names of units end up in paths of logs and sockets.
_SAFE_NAME = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?")
_SERVER_ONLY = servers.SERVERS["sklearn", servers.KSERVE].quiet | {"workers", "max_asyncio_workers"}
_MLSERVER = Entry(runtime="mlserver")
SERVED_NAME = "served_model_name"
"""The parameter of a Hugging Face unit whose model is called otherwise than the unit."""
_REPOSITORY = re.compile(r"\w[-.\w]*/[-.\w]+")
_HUB_PARAMETERS = ("model_id", "model_revision", "revision", "tokenizer_revision")
_TRUE = ("y", "yes", "t", "true", "on", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A unit and what it speaks, the preferred protocol first."""

    unit: Unit
    speaks: tuple[Protocol, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What lowering a unit needs besides the pod."""

    catalog: Catalog
    findings: Findings
    credentials: CredentialsConfig


def unit_of(pod: Pod, placed: Placed, bench: Bench) -> Lowered:
    """The unit of one of the pod's containers."""
    findings, container = bench.findings, placed.container
    env = variables_of(pod, placed, findings)
    words = words_of(placed, env)
    entry = _entry(pod, placed, env, words, bench)
    artifact = find_artifact(pod, placed, findings, bench.credentials)
    ports = ports_of(container)
    unit = Unit(
        name=UnitName(pod.template.service),
        runtime=entry.runtime,
        variant=entry.variant,
        image=container.image,
        artifact=artifact,
        env=_environment(entry, env, artifact),
        env_from=lower_env_from(container.env_from, placed.path, findings),
        code=UserCode(target=entry.target, path=entry.path) if entry.target or entry.path else None,
        command=entry.command,
        http_port=ports.http,
        grpc_port=ports.grpc,
        resources=lower_resources(container.resources, f"{placed.path}.resources", findings),
        where=placed.path,
    )
    server = servers.server_of(entry)
    if server is not None:
        return _served(pod, placed, unit, server, words, bench)
    return _own_code(pod, placed, unit, words, bench)


def _served(
    pod: Pod, placed: Placed, unit: Unit, server: servers.Server, words: tuple[str, ...], bench: Bench
) -> Lowered:
    """A server that a runtime of ours stands for."""
    said = servers.read(server, words, frozenset(("framework",)))
    name = said.name or literals_of(unit.env).get("MLSERVER_MODEL_NAME", "")
    parameters, artifact = list(said.parameters), unit.artifact
    hub = _of_hub(unit, said) if artifact is None else ""
    if hub:
        artifact = hub_artifact(pod, placed, hub, bench.findings, bench.credentials)
        parameters = [one for one in parameters if one.name not in _HUB_PARAMETERS]
    elif said.folder and "/" in said.folder and not said.folder.startswith("/"):
        if "://" in said.folder and artifact is None:
            artifact = Artifact(uri=said.folder, service_account=pod.service_account or "default", unpacks=True)
        elif server.takes_all:
            parameters.append(Parameter(name="model_id", value=said.folder))
    elif said.folder and artifact is not None and not server.takes_all:
        artifact = narrowed(artifact, said.folder)
    elif said.folder and artifact is not None and said.folder.rstrip("/") != artifact.mount:
        parameters.append(Parameter(name="model_dir", value=said.folder))
    holds = artifact is None and pod.model is not None and server.holds_models
    if holds and pod.annotations.get(EVICT_ANNOTATION, "").lower() == "true":
        parameters.append(Parameter(name="evict_models", value=True, type="BOOL"))
    _warn_of_unused(pod, placed, said.unused, bench.findings)
    unit = replace(unit, parameters=tuple(parameters), artifact=artifact, http_port=0, grpc_port=0)
    unit = replace(unit, holds_models=holds, upstream=_upstream(settings_of(words), pod, bench.findings))
    env = {variable.name: variable for variable in unit.env}
    env |= {key: EnvVar(name=key, value=value) for key, value in server.env if key not in env}
    unit = replace(unit, env=tuple(env.values()))
    if unit.runtime == "huggingface" and name and not _SAFE_NAME.fullmatch(name):
        # Models of a hub are called by names that are none for paths; OpenAI's clients say them in bodies.
        parameters.append(Parameter(name=SERVED_NAME, value=name))
        unit, name = replace(unit, parameters=tuple(parameters)), ""
    return Lowered(unit=_called(unit, name, placed, bench.findings), speaks=_ordered(pod, server.speaks))


def _of_hub(unit: Unit, said: servers.Said) -> str:
    """The address of a model that a server's flags name by its repository; empty when they name none."""
    if unit.runtime != "huggingface":
        return ""
    given = {one.name: str(one.value) for one in said.parameters}
    repository = given.get("model_id") or said.folder
    if not _REPOSITORY.fullmatch(repository):
        return ""
    revision = given.get("model_revision") or given.get("revision") or ""
    return f"hf://{repository}:{revision}" if revision else f"hf://{repository}"


def _own_code(pod: Pod, placed: Placed, unit: Unit, words: tuple[str, ...], bench: Bench) -> Lowered:
    """A class, a command or a container of the user's: it gets its flags as they are."""
    flags = settings_of(words)
    upstream = _upstream(flags, pod, bench.findings)
    speaks = _ordered(pod, (Protocol.V1, Protocol.V2))
    if unit.runtime == "container" and not unit.http_port:
        speaks = (Protocol.V2, Protocol.V1)  # V1 has no gRPC
    unit = replace(unit, upstream=upstream)
    if unit.runtime == "container":
        unit = replace(unit, container=container_of(pod, placed, unit, bench.findings))
    elif unit.runtime == "command":
        port = settings_of((*unit.command, *words)).get("grpc_port", "")
        unit = replace(
            unit,
            command=(*unit.command, *words_of(placed, unit.env)[len(placed.container.command) :]),
            grpc_port=unit.grpc_port or (int(port) if port.isdecimal() else 0),
        )
    else:
        unit = replace(unit, parameters=_parameters(flags), http_port=0, grpc_port=0)
    return Lowered(unit=_called(unit, flags.get("model_name", ""), placed, bench.findings), speaks=speaks)


def _entry(pod: Pod, placed: Placed, env: tuple[EnvVar, ...], words: tuple[str, ...], bench: Bench) -> Entry:
    """What runs for a container."""
    image, container = placed.container.image, Entry(runtime="container")
    if not image:
        bench.findings.refuse(f"{placed.path}.image", f"container {placed.container.name} has no image")
        return container
    found = bench.catalog.find(image) or (_MLSERVER if bench.catalog.is_mlserver(image) else None)
    known = servers.settled(found, literals_of(env), settings_of(words)) if found is not None else None
    if known is None:
        if pod.template.role == PREDICTOR and pod.model is not None:
            bench.findings.warn(_runs_outside(pod, image))
        return container
    if pod.inits:
        names = ", ".join(one.container.name or one.container.image for one in pod.inits)
        bench.findings.warn(f"{placed.path}: runs as a container: init container {names} has to run first")
        return container
    return known


def _runs_outside(pod: Pod, image: str) -> str:
    why = _WHY.get(pod.model.model_format.name if pod.model is not None else "", "no runtime here stands for its image")
    return f"{pod.path}.model: {image} runs as a container, which needs Docker or Podman: {why}"


_WHY: Mapping[str, str] = {
    "pmml": "no maintained library without Java reads PMML; a model that is converted to ONNX runs without",
    "paddle": "PaddlePaddle is not among the libraries here; paddle2onnx writes an ONNX model, which runs without",
    "autogluon": "AutoGluon is not among the libraries here; its models saved as scikit-learn or LightGBM run without",
    "openvino": "OpenVINO is not among the libraries here; the ONNX model that it was made from runs without",
}


def _environment(entry: Entry, env: tuple[EnvVar, ...], artifact: Artifact | None) -> tuple[EnvVar, ...]:
    """The catalog's variables below the manifest's. A model's address becomes its place, as in a cluster."""
    variables = {name: EnvVar(name=name, value=value) for name, value in entry.env}
    for variable in env:
        variables[variable.name] = variable
    if artifact is not None and STORAGE_URI in variables:
        variables[STORAGE_URI] = EnvVar(name=STORAGE_URI, value=artifact.mount)
    return tuple(variables.values())


def _parameters(flags: Mapping[str, str]) -> tuple[Parameter, ...]:
    """What a class is made with, or a program started with: every flag but those of the SDK's server."""
    given = {name: value for name, value in flags.items() if name not in _SERVER_ONLY and name != "model_name"}
    if "protocol" in given and "predictor_protocol" not in given:
        given["predictor_protocol"] = given["protocol"]
    return tuple(Parameter(name=name.replace("-", "_"), value=value) for name, value in given.items())


def _upstream(flags: Mapping[str, str], pod: Pod, findings: Findings) -> Upstream | None:
    """The predictor that the code calls by itself."""
    host = flags.get("predictor_host", "")
    if not host:
        return None
    protocol = flags.get("predictor_protocol") or flags.get("protocol") or "v1"
    is_tls = flags.get("predictor_use_ssl", "").lower() in _TRUE
    headers = header_patterns(pod.annotations, findings)
    is_inside = _is_service(host, pod.template.namespace)
    return Upstream(host=host, protocol=protocol, is_tls=is_tls, is_inside=is_inside, headers=headers)


def _is_service(host: str, namespace: str) -> bool:
    """Whether a host is the name of a cluster's Service: of this namespace, or of any when it says that it is one."""
    name, _, port = host.partition(":")
    labels = tuple(name.rstrip(".").split("."))
    rest = labels[2:]
    is_short = len(labels) == 2 and labels[1] == namespace
    return port in ("", "80") and (is_short or (bool(rest) and rest == ("svc", "cluster", "local")[: len(rest)]))


def _ordered(pod: Pod, speaks: tuple[Protocol, ...]) -> tuple[Protocol, ...]:
    """The protocols with the wanted one first."""
    wanted = _PROTOCOLS.get(pod.protocol)
    return tuple(sorted(speaks, key=lambda protocol: protocol is not wanted))


def _called(unit: Unit, name: str, placed: Placed, findings: Findings) -> Unit:
    """A unit is called what its model is: that is what paths and messages name."""
    if not name:
        return unit
    if not _SAFE_NAME.fullmatch(name):
        message = f"{name!r} is no name for a model; use letters, digits, '-', '_' and '.'"
        findings.refuse(f"{placed.path}.args", message)
        return unit
    return replace(unit, name=UnitName(name))


def _warn_of_unused(pod: Pod, placed: Placed, unused: tuple[str, ...], findings: Findings) -> None:
    for flag in unused:
        server = pod.server_type or placed.container.image
        findings.warn(f"{placed.path}.args: --{flag} is not used: {server} is not what runs here")
