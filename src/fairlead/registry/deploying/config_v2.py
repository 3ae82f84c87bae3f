"""The config of a deployment's target, as clients since 1.2 write it (in the body itself) and read it."""

from collections.abc import Mapping
from typing import Any

from fairlead.registry.deploying import scaling
from fairlead.registry.deploying.bodies import ConfigV2, Extras, Resources, ServiceConfig, read
from fairlead.registry.deploying.config_v1 import pod_fields, request_fields, resource_fields
from fairlead.registry.deploying.parts import Json, Part, Setup, unsaid_notes

OLD_STYLE = "apiserver"
"""What clients call the API server of a bento that has no services."""
FIELDS = ("access_authorization", "envs", "labels", "secrets", "services", "canary")
"""Keys of a body that are its target's config when it is read."""


def setup_of(config: ConfigV2, *, entry: str) -> Setup:
    """What a body asks for. `entry` is the name of the bento's entry service."""
    services = dict(config.services or {})
    names = [name for name in services if name in (entry, OLD_STYLE)]
    main = services.get(names[0]) if names else None
    request: Json = {}
    for service in services.values():
        request |= request_fields(service.extras.bento_request_overrides if service.extras else None)
    return Setup(
        main=_part(main or ServiceConfig()),
        runners={name: _part(service) for name, service in services.items() if name not in names},
        envs=tuple((env.name, env.value) for env in config.envs or ()),
        secrets=tuple(config.secrets or ()),
        request=request,
        is_public=True,
        access="token" if config.access_authorization else "none",
    )


def _part(service: ServiceConfig) -> Part:
    extras = service.extras or Extras()
    settings = {name: value for name, value in (service.config_overrides or {}).items() if value is not None}
    return Part(
        instance_type=service.instance_type or "",
        resources=_resources(settings.pop("resources", None)),
        autoscaling=scaling.from_hpa(service.scaling, fills_in=False),
        envs=tuple((env.name, env.value) for env in service.envs or () if env is not None),
        strategy=service.deployment_strategy or "",
        overrides=pod_fields(extras.bento_function_overrides),
        cold_start_s=service.cold_start_timeout,
        settings=settings,
    )


def _resources(given: Any) -> Json:
    """BentoML's `resources` of a service (`cpu`, `memory`, `gpu`), or requests and limits of their own."""
    if not isinstance(given, Mapping):
        return {}
    if "requests" in given or "limits" in given:
        return resource_fields(read(Resources, given))
    item = {name: given[name] for name in ("cpu", "memory", "gpu") if given.get(name) is not None}
    return resource_fields(read(Resources, {"requests": item, "limits": item})) if item else {}


def config_of(setup: Setup, *, entry: str) -> Json:
    """The config that a client reads for it."""
    services = {entry or OLD_STYLE: _service(setup.main, setup.request)}
    services |= {name: _service(part, {}) for name, part in setup.runners.items()}
    return {
        "access_authorization": setup.access == "token",
        "envs": _envs(setup.envs),
        "secrets": list(setup.secrets) or None,
        "services": services,
    }


def _envs(envs: tuple[tuple[str, str], ...]) -> list[Json] | None:
    return [{"name": name, "value": value} for name, value in envs] or None


def _service(part: Part, request: Mapping[str, Any]) -> Json:
    extras: Json = {}
    overrides = dict(part.overrides)
    if notes := unsaid_notes(part):
        overrides["annotations"] = {**(overrides.get("annotations") or {}), **notes}
    if overrides:
        extras["bento_function_overrides"] = overrides
    if request:
        extras["bento_request_overrides"] = dict(request)
    settings = dict(part.settings)
    if part.resources and not part.instance_type:
        settings["resources"] = part.resources
    return {
        "instance_type": part.instance_type or None,
        "scaling": scaling.to_hpa(part.autoscaling),
        "envs": _envs(part.envs),
        "deployment_strategy": part.strategy or None,
        "extras": extras or None,
        "cold_start_timeout": part.cold_start_s,
        "config_overrides": settings,
    }
