"""What is asked for the parts of one bento, in nobody's dialect, and as fields of a BentoDeployment.

A part is the API server (or entry service), a runner, or another service. The two client dialects are read into these
values and written from them, and so are objects that somebody made with kubectl.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fairlead.registry.deploying import annotations

Json = dict[str, Any]
_COPIED = ("monitorExporter", "extraPodMetadata", "extraPodSpec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part. Empty means not said; `autoscaling` and what is in `overrides` are fields of the object as they stand.

    `flags` are by the clients' names, `traffic` is a client's `traffic_control`, `settings` BentoML's own configuration
    of the service.
    """

    instance_type: str = ""
    resources: Json = field(default_factory=dict)
    autoscaling: Json | None = None
    envs: tuple[tuple[str, str], ...] = ()
    strategy: str = ""
    flags: Json = field(default_factory=dict)
    overrides: Json = field(default_factory=dict)
    traffic: Json = field(default_factory=dict)
    cold_start_s: int | None = None
    settings: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A bento's parts, and what is asked for all of it. `runners` are those besides `main`, by name; `envs` and
    `secrets` are for every part; `request` are fields of the BentoRequest. `is_public` and `access` are `None` when not
    said."""

    main: Part = field(default_factory=Part)
    runners: Mapping[str, Part] = field(default_factory=dict)
    envs: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    request: Json = field(default_factory=dict)
    is_public: bool | None = None
    access: str | None = None


def carried(before: Setup, new: Setup, *, is_old_client: bool) -> Setup:
    """What a client asks for that read a deployment made in the other dialect, and could not repeat all of it: clients
    before 1.2 have no words for secrets and settings, those since none for who may reach it from outside."""
    if not is_old_client:
        return replace(new, is_public=before.is_public)
    runners = {
        name: replace(part, settings=part.settings or before.runners[name].settings) if name in before.runners else part
        for name, part in new.runners.items()
    }
    main = replace(new.main, settings=new.main.settings or before.main.settings)
    return replace(new, main=main, runners=runners, secrets=new.secrets or before.secrets)


def to_spec(setup: Setup) -> Json:
    """The `spec` of a BentoDeployment that says this, but for its bento and what `documents` puts in."""
    spec = _fields(setup.main, setup.envs)
    notes = spec.setdefault("annotations", {})
    if setup.access is not None:
        notes[annotations.ACCESS] = setup.access
    if setup.secrets:
        notes[annotations.SECRETS] = ",".join(setup.secrets)
    if not notes:
        del spec["annotations"]
    if setup.runners:
        spec["runners"] = [{"name": name, **_fields(part, setup.envs)} for name, part in setup.runners.items()]
    if setup.is_public is not None:
        spec["ingress"] = {"enabled": setup.is_public}
    return spec


def _fields(part: Part, shared: tuple[tuple[str, str], ...]) -> Json:
    envs = dict(shared) | dict(part.envs)
    found: Json = {
        "annotations": _notes(part),
        "resources": part.resources,
        "autoscaling": part.autoscaling,
        "envs": [{"name": name, "value": value} for name, value in envs.items()],
        **{name: part.overrides.get(name) for name in _COPIED},
    }
    return {name: value for name, value in found.items() if value}


def _notes(part: Part) -> dict[str, str]:
    found = {**(part.overrides.get("annotations") or {}), **unsaid_notes(part)}
    if part.strategy:
        found[annotations.STRATEGY] = part.strategy
    if part.instance_type:
        found[annotations.INSTANCE_TYPE] = part.instance_type
    if part.cold_start_s is not None:
        found[annotations.COLD_START] = str(part.cold_start_s)
    if part.settings:
        found[annotations.OVERRIDES] = json.dumps(part.settings, sort_keys=True)
    return found


def unsaid_notes(part: Part) -> dict[str, str]:
    """Annotations for what clients since 1.2 have no words for."""
    found = {annotations.FLAGS[name]: "true" if value else "false" for name, value in part.flags.items()}
    return found | ({annotations.TRAFFIC: json.dumps(part.traffic, sort_keys=True)} if part.traffic else {})


def from_spec(spec: Mapping[str, Any], request: Mapping[str, Any]) -> Setup:
    """What a BentoDeployment's `spec` and its BentoRequest's say."""
    notes = spec.get("annotations") or {}
    ingress = spec.get("ingress") or {}
    return Setup(
        main=_part(spec),
        runners={runner["name"]: _part(runner) for runner in spec.get("runners") or ()},
        secrets=_names(notes.get(annotations.SECRETS)),
        request={name: value for name, value in request.items() if name in REQUEST_FIELDS and value is not None},
        is_public=bool(ingress.get("enabled")),
        access=notes.get(annotations.ACCESS),
    )


REQUEST_FIELDS = (
    "imageBuildTimeout",
    "imageBuilderExtraPodMetadata",
    "imageBuilderExtraPodSpec",
    "imageBuilderExtraContainerEnv",
    "imageBuilderContainerResources",
    "dockerConfigJsonSecretName",
    "downloaderContainerEnvFrom",
)
"""Fields of a BentoRequest that clients may set."""


def _part(fields: Mapping[str, Any]) -> Part:
    notes = fields.get("annotations") or {}
    injected = {*_names(notes.get(annotations.INJECTED))}
    others = {name: value for name, value in notes.items() if name not in {*annotations.WRITTEN, *injected}}
    overrides = {name: fields[name] for name in _COPIED if fields.get(name)}
    cold_start = str(notes.get(annotations.COLD_START, ""))
    return Part(
        instance_type=notes.get(annotations.INSTANCE_TYPE, ""),
        resources=dict(fields.get("resources") or {}),
        autoscaling=fields.get("autoscaling"),
        envs=tuple(
            (env["name"], str(env.get("value") or ""))
            for env in fields.get("envs") or ()
            if env["name"] not in injected and "valueFrom" not in env
        ),
        strategy=notes.get(annotations.STRATEGY, ""),
        flags={name: notes[key] == "true" for name, key in annotations.FLAGS.items() if key in notes},
        overrides=overrides | ({"annotations": others} if others else {}),
        traffic=_object(notes.get(annotations.TRAFFIC)),
        cold_start_s=int(cold_start) if cold_start.isdigit() else None,
        settings=_object(notes.get(annotations.OVERRIDES)),
    )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name for name in (text or "").split(",") if name)


def _object(text: str | None) -> Json:
    """An annotation that may have been edited by hand: what is no object says nothing."""
    try:
        found = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
