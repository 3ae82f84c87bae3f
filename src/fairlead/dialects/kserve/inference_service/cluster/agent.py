"""KServe's agent beside a server: it copies payloads to a log, gathers requests into batches, and brings the models of
others into the pod.

Requests reach the agent's port, which is why a component's Service leads there, and the agent passes them on. Its
arguments are those of KServe's own agent, so either image does.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.cluster.credentials import give_credentials, give_store
from fairlead.dialects.kserve.inference_service.cluster.draft import Draft, add_env, add_mount
from fairlead.dialects.kserve.inference_service.cluster.hosting import is_host, model_config, model_config_name
from fairlead.dialects.kserve.inference_service.cluster.probes import passed_on, port_of
from fairlead.dialects.kserve.inference_service.cluster.transfers import identity_of
from fairlead.dialects.kserve.inference_service.runtime_defaults import MODELS

Json = dict[str, Any]

NAME, PORT, PORT_NAME = "agent", 9081, "agent-port"
CONFIGS = "/mnt/configs"
_CONFIG_VOLUME, _MODEL_VOLUME, _CA_VOLUME = "model-config", "model-dir", "agent-ca-bundle"
_CA_FOLDER = "/etc/tls/logger"
_LOGGER_ACCOUNT = "logger-sa"
_STORES = ("s3://", "gs://", "abfs://", "abfss://", "wasb://", "wasbs://", "azureblob://", "https+blob://")
_MODES = ("all", "request", "response")


def add_agent(draft: Draft, findings: Findings) -> bool:
    """Put an agent into the pod, if the component has work for one; whether it has one now."""
    spec = draft.template.spec
    if draft.container(NAME) is not None:
        return True
    hosts = is_host(draft)
    if not (hosts or is_tapped(spec)):
        return False
    config, entry = draft.site.config.agent, draft.entry
    container: Json = {
        "name": NAME,
        "image": config.image or draft.site.settings.image,
        "resources": config.resources(),
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "env": [{"name": "SERVING_READINESS_PROBE", "value": passed_on(entry.get("readinessProbe"), draft.port)}],
        "readinessProbe": _probe(entry),
    }
    if draft.site.is_ours(container["image"]):
        container["command"] = ["fairlead", NAME]
    if context := identity_of(draft.containers[0]):
        container["securityContext"] = context
    args = [
        *(_pulls(draft, container) if hosts else ()),
        *_batches(spec.get("batcher")),
        *_logs(draft, container, findings),
    ]
    container["args"] = [*args, "--component-port", str(port_of(entry))]
    if draft.template.is_knative:
        _take_over(draft, container)
    draft.containers.append(container)
    return True


def is_tapped(spec: Mapping[str, Any]) -> bool:
    """Whether a component's requests pass its agent."""
    return spec.get("logger") is not None or spec.get("batcher") is not None


def _probe(entry: Mapping[str, Any]) -> Json:
    """The agent answers the queue's own probe, after it has asked the server."""
    asked = (entry.get("readinessProbe") or {}).get("httpGet")
    path = asked.get("path") if isinstance(asked, Mapping) else ""
    header = {"name": "K-Network-Probe", "value": "queue"}
    return {"httpGet": {"path": path or "/", "port": PORT, "httpHeaders": [header]}}


def _take_over(draft: Draft, container: Json) -> None:
    """Knative sends requests to the one container that has a port, and probes that one alone."""
    for server in draft.containers:
        server.pop("ports", None)
        for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
            server.pop(probe, None)
    container["ports"] = [{"containerPort": PORT, "protocol": "TCP"}]


def _pulls(draft: Draft, container: Json) -> Iterator[str]:
    """Models of others: which ones is in a ConfigMap, and they come to a folder that the server looks into."""
    name = model_config_name(draft.template.service)
    draft.configs.append(model_config(draft))
    draft.add_volume({"name": _CONFIG_VOLUME, "configMap": {"name": name}})
    draft.add_volume({"name": _MODEL_VOLUME, "emptyDir": {}})
    add_mount(container, {"name": _CONFIG_VOLUME, "mountPath": CONFIGS, "readOnly": True})
    for one in (container, draft.main):
        add_mount(one, {"name": _MODEL_VOLUME, "mountPath": MODELS})
    secret = draft.annotations.get(draft.site.config.credentials.storage_secret_name_annotation, "")
    give_credentials(draft, container, account=draft.service_account, secret=secret)
    yield from ("--enable-puller", "--config-dir", CONFIGS, "--model-dir", MODELS)


def _batches(batcher: Mapping[str, Any] | None) -> Iterator[str]:
    if batcher is None:
        return
    yield "--enable-batcher"
    if batcher.get("maxBatchSize") is not None:
        yield from ("--max-batchsize", str(batcher["maxBatchSize"]))
    if batcher.get("maxLatency") is not None:
        yield from ("--max-latency", str(batcher["maxLatency"]))


def _logs(draft: Draft, container: Json, findings: Findings) -> Iterator[str]:
    logger = draft.template.spec.get("logger")
    if logger is None:
        return
    if logger.get("mode") not in _MODES:
        findings.refuse(f"spec.{draft.template.role}.logger.mode", "invalid logger type")
        return
    config, template = draft.site.config.logger, draft.template
    url = logger.get("url") or config.default_url
    # A pod's name is known in the pod alone.
    pod = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    add_env(container, [pod])
    yield from ("--log-url", url, "--source-uri", "$(POD_NAME)", "--log-mode", logger["mode"])
    yield from ("--inference-service", template.service, "--namespace", template.namespace)
    yield from ("--endpoint", draft.labels.get("endpoint", ""), "--component", template.role)
    yield from _stores(draft, container, logger, url, findings)
    if headers := logger.get("metadataHeaders"):
        yield from ("--metadata-headers", ",".join(headers))
    if names := logger.get("metadataAnnotations"):
        known = [f"{name}={draft.annotations[name]}" for name in names if name in draft.annotations]
        yield from ("--metadata-annotations", ",".join(known))
    if config.ca_bundle:
        draft.add_volume({"name": _CA_VOLUME, "configMap": {"name": config.ca_bundle, "optional": True}})
        add_mount(container, {"name": _CA_VOLUME, "mountPath": _CA_FOLDER, "readOnly": True})
        yield from ("--logger-ca-cert-file", config.ca_cert_file)
    yield from ("--logger-tls-skip-verify", json.dumps(config.tls_skip_verify))


def _stores(draft: Draft, container: Json, logger: Mapping[str, Any], url: str, findings: Findings) -> Iterator[str]:
    """Logs that are written to a bucket."""
    config = draft.site.config.logger
    storage = logger.get("storage") or config.storage or {}
    if not url.startswith(_STORES) and not storage:
        return
    give_credentials(draft, container, account=storage.get("serviceAccountName") or _LOGGER_ACCOUNT)
    parameters = dict(storage.get("parameters") or {})
    form = parameters.pop("format", "json")
    if storage.get("key"):
        give_store(draft, container, {"key": storage["key"], "parameters": parameters}, findings)
    yield from ("--log-store-path", storage.get("path") or "", "--log-store-format", form)
    if marshaller := logger.get("marshallerUrl") or config.marshaller_url:
        yield from ("--log-marshaller-url", marshaller)
    if size := logger.get("batchSize") or config.batch_size:
        yield from ("--log-batch-size", str(size))
    if interval := logger.get("batchInterval") or config.batch_interval:
        yield from ("--log-batch-interval", interval)
