"""Objects of a deployment: one BentoRequest for each bento, and the BentoDeployment that runs them. Pure.

Some words of the clients are said to BentoML itself here, in variables that its server reads; their names stand in an
annotation, so that nobody takes them for the user's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.bento.deployment.lower import CONCURRENCY
from fairlead.dialects.bento.names import Tag, label_value, request_name
from fairlead.errors import BadRequest
from fairlead.registry.deploying import annotations, go_durations, parts
from fairlead.registry.deploying.config_v2 import OLD_STYLE
from fairlead.registry.deploying.parts import Json, Part, Setup
from fairlead.registry.deploying.place import API_VERSIONS, DEPLOYMENT, REQUEST, Document

ORGANIZATION = "fairlead.dev/organization"
"""Annotation with the organization that an object is of; one without is the first's."""
MADE_HERE = "fairlead.dev/made-by"
"""Label of BentoRequests that nobody but a deployment asked for: they go with the last one."""
REGISTRY = "registry"

_OVERRIDES_ENV, _OPTIONS_ENV = "BENTOML_CONFIG_OVERRIDES", "BENTOML_CONFIG_OPTIONS"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretEnv:
    """A variable whose value is under a key of a Secret."""

    name: str
    secret: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What names in a body stand for: instance types by name as `resources`, secrets by name as variables."""

    instance_types: Mapping[str, Json]
    secrets: Mapping[str, Sequence[SecretEnv]]


def request_document(tag: Tag, namespace: str, organization: str, setup: Setup) -> Json:
    """The BentoRequest that gets a bento of the registry."""
    return {
        "apiVersion": API_VERSIONS[REQUEST],
        "kind": REQUEST,
        "metadata": {
            "name": request_name(str(tag)),
            "namespace": namespace,
            "labels": {
                MADE_HERE: REGISTRY,
                "yatai.ai/bento-repository": label_value(tag.name),
                "yatai.ai/bento": label_value(tag.version),
            },
            "annotations": {ORGANIZATION: organization},
        },
        "spec": {"bentoTag": str(tag), **setup.request},
    }


def deployment_document(
    name: str, namespace: str, organization: str, tag: Tag, setup: Setup, means: Means, *, entry: str
) -> Json:
    """The BentoDeployment that runs it."""
    return {
        "apiVersion": API_VERSIONS[DEPLOYMENT],
        "kind": DEPLOYMENT,
        "metadata": {"name": name, "namespace": namespace, "annotations": {ORGANIZATION: organization}},
        "spec": {"bento": request_name(str(tag)), **spec_of(setup, means, entry=entry)},
    }


def spec_of(setup: Setup, means: Means, *, entry: str) -> Json:
    """A BentoDeployment's `spec` with everything that follows from what was said."""
    spec = parts.to_spec(setup)
    secret_envs = [env for name in setup.secrets for env in _secret(name, means)]
    _inject(spec, setup.main, secret_envs, means, service=entry)
    for fields in spec.get("runners", ()):
        _inject(
            fields, setup.runners[fields["name"]], secret_envs, means, service=fields["name"], is_new=entry != OLD_STYLE
        )
    return spec


def _secret(name: str, means: Means) -> Sequence[SecretEnv]:
    found = means.secrets.get(name)
    if found is None:
        raise BadRequest(f"secrets: get secret {name}: record not found")
    return found


def _inject(
    fields: Json, part: Part, secrets: Sequence[SecretEnv], means: Means, *, service: str, is_new: bool = True
) -> None:
    """Add to a part's fields what its instance type, secrets and settings come to."""
    if part.instance_type and not part.resources:
        fields["resources"] = _resources(part.instance_type, means)
    envs: list[Json] = list(fields.get("envs") or ())
    given = {env["name"] for env in envs}
    added: list[Json] = [
        {"name": env.name, "valueFrom": {"secretKeyRef": {"name": env.secret, "key": env.key}}} for env in secrets
    ]
    added += [{"name": name, "value": value} for name, value in _settings(part, service, is_new=is_new).items()]
    added = [env for env in added if env["name"] not in given]
    notes = _limits(part)
    if added:
        fields["envs"] = envs + added
    if added or notes:
        names = ",".join([*(env["name"] for env in added), *notes])
        fields["annotations"] = {**notes, **(fields.get("annotations") or {}), annotations.INJECTED: names}


def _limits(part: Part) -> dict[str, str]:
    """How much a replica takes at once, as the gateway and its workers know it; the others wait."""
    queue = part.traffic.get("request_queue") or {}
    most = queue.get("max_consume_concurrency")
    return {CONCURRENCY: str(most)} if most and queue.get("enabled", True) else {}


def _resources(name: str, means: Means) -> Json:
    if name not in means.instance_types:
        known = ", ".join(sorted(means.instance_types))
        raise BadRequest(f"there is no instance type {name!r}; available: {known}")
    return means.instance_types[name]


def _settings(part: Part, service: str, *, is_new: bool) -> dict[str, str]:
    """Variables that BentoML's server reads its configuration from. New-style bentos have it by service; the others by
    what the process is, an API server or a runner, and of them only the timeout is known to mean the same."""
    timeout = part.traffic.get("timeout")
    timeout_s = go_durations.seconds(timeout) if timeout else None
    if service and is_new and service != OLD_STYLE:
        settings = dict(part.settings)
        if timeout_s is not None:
            settings["traffic"] = {"timeout": timeout_s, **(settings.get("traffic") or {})}
        return {_OVERRIDES_ENV: json.dumps({"services": {service: settings}}, sort_keys=True)} if settings else {}
    if timeout_s is None:
        return {}
    where = "api_server" if service in ("", OLD_STYLE) else f"runners.{service}"
    return {_OPTIONS_ENV: f"{where}.traffic.timeout={max(1, round(timeout_s))}"}


def keeping(old: Document | None, new: Json) -> Json:
    """The new object with what somebody else wrote into the old one: annotations and labels that are none of ours, what
    its ingress has besides, and variables that come from somewhere."""
    if old is None:
        return new
    before, after = old.get("spec") or {}, dict(new["spec"])
    notes = _others(before.get("annotations"))
    after["annotations"] = {**notes, **(after.get("annotations") or {})}
    if before.get("labels"):
        after["labels"] = {**before["labels"], **(after.get("labels") or {})}
    ingress = {name: value for name, value in (before.get("ingress") or {}).items() if name != "enabled"}
    after["ingress"] = {**ingress, **(after.get("ingress") or {})}
    named = {env["name"] for env in after.get("envs") or ()}
    ours = set((before.get("annotations") or {}).get(annotations.INJECTED, "").split(","))
    sourced = [
        env
        for env in before.get("envs") or ()
        if "valueFrom" in env and env["name"] not in named and env["name"] not in ours
    ]
    if sourced:
        after["envs"] = [*(after.get("envs") or ()), *sourced]
    return {**new, "spec": {name: value for name, value in after.items() if value not in ({}, [])}}


def _others(notes: Mapping[str, Any] | None) -> Json:
    ours = {*annotations.WRITTEN, *str((notes or {}).get(annotations.INJECTED, "")).split(",")}
    return {name: value for name, value in (notes or {}).items() if name not in ours}
