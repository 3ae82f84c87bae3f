"""The `config` of a deployment's target, as clients before 1.2 write and read it."""

from collections.abc import Mapping
from typing import Any

from fairlead.registry.deploying import go_durations, scaling
from fairlead.registry.deploying.annotations import FLAGS
from fairlead.registry.deploying.bodies import PartConfig, PodOverrides, RequestOverrides, Resources, TargetConfig
from fairlead.registry.deploying.parts import Json, Part, Setup

_TOKEN, _OPEN = "token", "none"
# What BentoCloud's clients put into `access_control`.
_ACCESS_WORDS = {"private": _TOKEN, "protected": _TOKEN, "token": _TOKEN, "public": _OPEN, "none": _OPEN}


def setup_of(config: TargetConfig | None) -> Setup:
    """What a config asks for."""
    if config is None:
        return Setup()
    return Setup(
        main=_part(config),
        runners={name: _part(runner) for name, runner in (config.runners or {}).items()},
        request=request_fields(config.bento_request_overrides),
        is_public=config.enable_ingress,
        access=_ACCESS_WORDS.get(config.access_control.lower()) if config.access_control else None,
    )


def _part(config: PartConfig) -> Part:
    flags = {name: getattr(config, name) for name in FLAGS}
    return Part(
        instance_type=config.resource_instance or "",
        resources=resource_fields(config.resources),
        autoscaling=scaling.from_hpa(config.hpa_conf, fills_in=True),
        envs=tuple((env.key, env.value) for env in config.envs or () if env is not None),
        strategy=config.deployment_strategy or "",
        flags={name: value for name, value in flags.items() if value is not None},
        overrides=pod_fields(config.bento_deployment_overrides),
        traffic=_without_nulls(config.traffic_control.model_dump()) if config.traffic_control else {},
        cold_start_s=config.deployment_cold_start_wait_timeout,
    )


def resource_fields(resources: Resources | None) -> Json:
    """As a BentoDeployment has them."""
    return _without_nulls(resources.model_dump()) if resources else {}


def pod_fields(overrides: PodOverrides | None) -> Json:
    """Those that are set."""
    return {name: value for name, value in (overrides.model_dump() if overrides else {}).items() if value}


def request_fields(overrides: RequestOverrides | None) -> Json:
    """As a BentoRequest has them: its timeout is in nanoseconds."""
    fields = {name: value for name, value in (overrides.model_dump() if overrides else {}).items() if value}
    timeout = fields.get("imageBuildTimeout")
    if isinstance(timeout, str):
        fields["imageBuildTimeout"] = go_durations.nanoseconds(timeout)
    sources = fields.get("downloaderContainerEnvFrom")
    if isinstance(sources, dict):
        fields["downloaderContainerEnvFrom"] = [sources]
    return fields


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    cleaned = {name: _without_nulls(each) for name, each in value.items()}
    return {name: each for name, each in cleaned.items() if each not in (None, {})}


def config_of(setup: Setup, *, uid: str = "", version: str = "") -> Json:
    """The config that a client reads for it; `uid` and `version` are the object's."""
    config = _config(setup.main, setup)
    return config | {
        # Clients take null for a runner's, and no null here.
        "resources": setup.main.resources,
        "kubeResourceUid": uid,
        "kubeResourceVersion": version,
        "runners": {name: _config(part, setup) for name, part in setup.runners.items()} or None,
        "access_control": {_TOKEN: "private", _OPEN: "public"}.get(setup.access or ""),
        "enable_ingress": setup.is_public,
        "bento_request_overrides": _readable(setup.request) or None,
    }


def _readable(request: Mapping[str, Any]) -> Json:
    """Clients take one source of variables where a BentoRequest has a list."""
    sources = request.get("downloaderContainerEnvFrom")
    shown = dict(request)
    if isinstance(sources, list):
        shown["downloaderContainerEnvFrom"] = sources[0] if sources else None
    return shown


def _config(part: Part, setup: Setup) -> Json:
    envs = dict(setup.envs) | dict(part.envs)
    overrides = {name: value for name, value in part.overrides.items() if name != "annotations"}
    return {
        "resource_instance": part.instance_type or None,
        "resources": part.resources or None,
        "hpa_conf": scaling.to_hpa(part.autoscaling),
        "envs": [{"key": name, "value": value} for name, value in envs.items()] or None,
        **{name: part.flags.get(name) for name in FLAGS},
        "deployment_strategy": part.strategy or None,
        "bento_deployment_overrides": overrides or None,
        "traffic_control": part.traffic or None,
        "deployment_cold_start_wait_timeout": part.cold_start_s,
    }
