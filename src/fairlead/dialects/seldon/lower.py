"""Turns one SeldonDeployment into a plan. Pure: no network, no clock, no environment.

A predictor becomes a component with one revision; its graph, units and scale are lowered by the modules beside this
one. Nothing past here says "predictor". Every mistake is collected before anything is raised.
"""

import re

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.findings import Findings
from fairlead.dialects.sealing import seal
from fairlead.dialects.secret_names import secret_names
from fairlead.dialects.seldon import annotations
from fairlead.dialects.seldon.context import NodeContext, PredictorContext, predictor_contexts
from fairlead.dialects.seldon.defaults import apply_defaults
from fairlead.dialects.seldon.graph import walk
from fairlead.dialects.seldon.labels import pod_labels
from fairlead.dialects.seldon.lower_env import lower_variables
from fairlead.dialects.seldon.lower_graph import lower_graph
from fairlead.dialects.seldon.lower_routes import lower_certificates, lower_routes
from fairlead.dialects.seldon.lower_scale import lower_scale
from fairlead.dialects.seldon.lower_units import lower_units
from fairlead.dialects.seldon.names import deployment_names, predictor_key
from fairlead.dialects.seldon.schema import SeldonDeployment
from fairlead.plan.model import (
    Component,
    ComponentName,
    EnvVar,
    Logger,
    Owner,
    Plan,
    Protocol,
    Revision,
    Unit,
    UnitName,
)

ROUTING_INJECTION = "SELDON_ENABLE_ROUTING_INJECTION"
DRAIN_S = 20.0
PROGRESS_DEADLINE_S = 600.0

_DOCS = {"seldon": "api/v1.0/doc/", "v2": "v2/docs/", "tensorflow": "docs/"}
_SINKS = ("REQUEST_LOGGER_DEFAULT_ENDPOINT", "LOGGER_KAFKA_BROKER")
_LOG_MODES = ("request", "response", "all")
_PROTOCOLS = {"seldon": Protocol.SELDON, "tensorflow": Protocol.TENSORFLOW, "v2": Protocol.V2}
# Names end up in paths of logs and sockets, so what a file system would read as more than a name is refused.
_SAFE_NAME = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?")


def lower(sdep: SeldonDeployment, *, catalog: Catalog) -> Plan:
    """The plan of a valid deployment. Raises `InvalidManifest` for what cannot be run."""
    findings = Findings()
    defaulted = apply_defaults(sdep, catalog=catalog)
    sdep = defaulted.deployment
    check_names(sdep, findings)
    components = tuple(_component(context) for context in predictor_contexts(defaulted, catalog, findings))
    routes = lower_routes(sdep, findings)
    certificates = lower_certificates(sdep)
    _warn(sdep, findings)
    findings.check()
    return Plan(
        owner=owner_of(sdep),
        components=components,
        routes=routes,
        secrets=tuple(sorted({*secret_names(components), *(one.secret for one in certificates)})),
        certificates=certificates,
        labels=tuple(sorted(sdep.metadata.labels.items())),
        warnings=tuple(findings.warnings),
        docs_path=_docs_path(sdep),
    )


def owner_of(sdep: SeldonDeployment) -> Owner:
    """The resource that everything made for it belongs to."""
    meta = sdep.metadata
    return Owner(
        api_version=sdep.api_version,
        kind=sdep.kind,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        generation=meta.generation,
    )


def _component(context: PredictorContext) -> Component:
    sdep, predictor = context.sdep, context.predictor
    deadline = predictor.progress_deadline_seconds
    return Component(
        name=ComponentName(predictor.name),
        full_name=predictor_key(sdep, predictor),
        revision=lower_revision(context),
        scale=lower_scale(context),
        group=deployment_names(sdep, predictor)[0],
        progress_deadline_s=PROGRESS_DEADLINE_S if deadline is None else float(deadline),
        labels=pod_labels(context),
    )


def lower_revision(context: PredictorContext, *, units: tuple[Unit, ...] | None = None) -> Revision:
    """The revision of a predictor; with `units`, made of those instead of what its containers are."""
    sdep, predictor = context.sdep, context.predictor
    settings = annotations.of_predictor(sdep, predictor)
    pods = predictor.component_specs
    labels = (pods[0].metadata.labels if pods else {}) | predictor.labels
    grace = pods[0].spec.termination_grace_period_seconds if pods else None
    env = _engine_env(context)
    return seal(
        Revision(
            hash="",
            units=lower_units(context) if units is None else units,
            graph=lower_graph(predictor.graph),
            protocol=_PROTOCOLS[sdep.spec.protocol],
            labels=tuple(sorted(labels.items())),
            annotations=annotations.of_worker(settings),
            env=env,
            timeout_s=annotations.timeout_s(settings, annotations.REST_TIMEOUT, context.findings),
            grpc_timeout_s=annotations.timeout_s(settings, annotations.GRPC_TIMEOUT, context.findings),
            loggers=_loggers(context, env),
            batching=annotations.batching(settings, context.findings),
            limits=annotations.limits(settings, context.findings),
            drain_s=DRAIN_S if grace is None else float(grace),
            include_routing=_includes_routing(env),
        )
    )


def _engine_env(context: PredictorContext) -> tuple[EnvVar, ...]:
    """The orchestrator's variables: annotations first, which its own `env` overrides."""
    merged = {name: EnvVar(name=name, value=value) for name, value in annotations.engine_env(context.sdep).items()}
    root = NodeContext(outer=context, placed=next(walk(context.predictor, context.index)))
    path = f"{context.path}.svcOrchSpec"
    for variable in lower_variables(root, context.predictor.svc_orch_spec.env, path):
        merged[variable.name] = variable
    return tuple(merged.values())


def _includes_routing(env: tuple[EnvVar, ...]) -> bool:
    """Upstream answers tell the routing only when asked to; here they do unless the same variable says no."""
    asked = next((variable.value for variable in env if variable.name == ROUTING_INJECTION), "true")
    return asked.strip().lower() not in ("", "0", "false", "no", "off")


def _loggers(context: PredictorContext, env: tuple[EnvVar, ...]) -> tuple[Logger, ...]:
    """The payload loggers that have somewhere to send to."""
    has_sink = any(variable.name in _SINKS and (variable.value or variable.source) for variable in env)
    redact = annotations.redacted_fields(annotations.of_predictor(context.sdep, context.predictor))
    loggers = []
    for node in context.nodes():
        wanted = node.node.logger
        if wanted is None or not wanted.mode:
            continue
        if wanted.mode not in _LOG_MODES:
            accepted = ", ".join(_LOG_MODES)
            context.findings.refuse(f"{node.path}.logger.mode", f"{wanted.mode!r} is no mode; expected {accepted}")
        if wanted.url or has_sink:
            loggers.append(Logger(unit=UnitName(node.node.name), mode=wanted.mode, url=wanted.url, redact=redact))
        else:
            context.findings.warn(
                f"{node.path}.logger: nothing is logged: set url here, or {_SINKS[0]} in svcOrchSpec.env"
            )
    return tuple(loggers)


def check_names(sdep: SeldonDeployment, findings: Findings) -> None:
    """Refuse what is no name."""
    named = [("metadata.name", sdep.metadata.name), ("metadata.namespace", sdep.metadata.namespace)]
    for index, predictor in enumerate(sdep.spec.predictors):
        named.append((f"spec.predictors[{index}].name", predictor.name))
        named.append((f"spec.predictors[{index}].annotations[seldon.io/svc-name]", predictor_key(sdep, predictor)))
        named += [(f"{placed.path}.name", placed.node.name) for placed in walk(predictor, index)]
    for path, name in named:
        if not _SAFE_NAME.fullmatch(name):
            message = (
                f"{name!r} is not a name; use letters, digits, '-', '_' and '.', with a letter or digit at the ends"
            )
            findings.refuse(path, message if name else "a name is required")


def _docs_path(sdep: SeldonDeployment) -> str:
    page = _DOCS.get(sdep.spec.protocol, "")
    return f"/seldon/{sdep.metadata.namespace}/{sdep.metadata.name}/{page}" if page else ""


def _warn(sdep: SeldonDeployment, findings: Findings) -> None:
    annotations.warn_of_ignored(sdep, findings)
    if sdep.spec.server_type == "kafka":
        findings.warn("spec.serverType: kafka is not supported yet; requests are served over HTTP only")
    for index, predictor in enumerate(sdep.spec.predictors):
        path = f"spec.predictors[{index}]"
        if predictor.explainer is not None and predictor.explainer.is_wanted:
            findings.warn(f"{path}.explainer: {predictor.explainer.type} is not run yet; the predictor is")
