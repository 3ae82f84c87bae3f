"""What a deployment was asked to be, as it is kept with each revision: word for word, in the dialect it came in.

Whoever reads it in the same dialect gets the words back; whoever reads it in the other gets what they mean there.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from fairlead.dialects.bento.names import Tag, parse_tag
from fairlead.errors import BadRequest
from fairlead.registry.deploying import config_v1, config_v2
from fairlead.registry.deploying.bodies import CanaryVersion, ConfigV2, CreateV1, TargetConfig, UpdateV1, UpdateV2, read
from fairlead.registry.deploying.parts import Json, Setup, from_spec
from fairlead.registry.deploying.words import RuleType, TargetType

MAIN = "main"


class Dialect(StrEnum):
    """Whose words a config has: clients before 1.2, clients since, or an object that somebody made by hand."""

    V1 = "v1"
    V2 = "v2"
    OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One bento of a deployment. `rules` say which requests a canary gets, as clients before 1.2 write them."""

    bento_repository: str
    bento: str
    config: Json
    name: str = MAIN
    type: TargetType = TargetType.STABLE
    rules: tuple[Json, ...] = ()

    @property
    def tag(self) -> Tag:
        return Tag(self.bento_repository, self.bento)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All targets, the stable one first. `routing` is how clients since 1.2 choose among them. `object_uid` and
    `generation` are the object's as this was written into it; empty until then."""

    dialect: Dialect
    targets: tuple[Target, ...]
    routing: Json = field(default_factory=dict)
    mode: str = ""
    object_uid: str = ""
    generation: int = 0

    @property
    def main(self) -> Target:
        return self.targets[0]

    def to_text(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Asked":
        kept = json.loads(text)
        targets = tuple(
            Target(**{**each, "type": TargetType(each["type"]), "rules": tuple(each["rules"])})
            for each in kept["targets"]
        )
        return cls(**{**kept, "dialect": Dialect(kept["dialect"]), "targets": targets})


def asked_v1(body: Mapping[str, Any], model: type[UpdateV1] = CreateV1) -> Asked | None:
    """What a body of a client before 1.2 asks for; nothing when it has no targets."""
    given = read(model, body)
    targets = []
    for index, target in enumerate(given.targets or ()):
        raw = body["targets"][index]
        name = MAIN if target.type is TargetType.STABLE else f"canary-{index}"
        rules = tuple(dict(rule) for rule in raw.get("canary_rules") or ())
        targets.append(
            Target(
                bento_repository=target.bento_repository,
                bento=target.bento,
                config=dict(raw.get("config") or {}),
                name=name,
                type=target.type,
                rules=rules,
            )
        )
    if not targets:
        return None
    targets.sort(key=lambda each: each.type is TargetType.CANARY)
    stable = [each for each in targets if each.type is TargetType.STABLE]
    if len(stable) != 1:
        raise BadRequest(f"targets: there must be one of type stable, not {len(stable)}")
    return Asked(dialect=Dialect.V1, targets=tuple(targets), mode=given.mode or "")


def asked_v2(body: Mapping[str, Any]) -> Asked:
    """What a body of a client since 1.2 asks for."""
    given = read(UpdateV2, body)
    main = _target_v2(
        given.bento, {name: value for name, value in body.items() if name not in ("bento", "name", "dev")}
    )
    versions = (given.canary.versions if given.canary else None) or {}
    canaries = [_canary_v2(name, version, body["canary"]["versions"][name]) for name, version in versions.items()]
    routing: Json = {}
    if given.canary is not None and versions:
        routing = {"route_type": given.canary.route_type, "route_by": given.canary.route_by}
        routing["weights"] = {name: version.weight or 0 for name, version in versions.items()}
    return Asked(dialect=Dialect.V2, targets=(main, *canaries), routing=routing)


def _target_v2(tag: str, config: Json, *, name: str = MAIN) -> Target:
    try:
        parsed = parse_tag(tag)
    except ValueError as error:
        raise BadRequest(f"bento: {error}") from error
    kind = TargetType.STABLE if name == MAIN else TargetType.CANARY
    return Target(bento_repository=parsed.name, bento=parsed.version, config=config, name=name, type=kind)


def _canary_v2(name: str, version: CanaryVersion, raw: Mapping[str, Any]) -> Target:
    if not version.bento:
        raise BadRequest(f"canary.versions.{name}.bento: Field required")
    if name == MAIN:
        raise BadRequest(f"canary.versions.{name}: the name {MAIN} is taken by what is not a canary")
    config = {key: value for key, value in raw.items() if key not in ("bento", "weight")}
    target = _target_v2(version.bento, config, name=name)
    rule = {"type": RuleType.WEIGHT.value, "weight": version.weight or 0}
    return Target(**{**_fields(target), "rules": ({**rule, "header": "", "cookie": "", "header_value": ""},)})


def _fields(target: Target) -> Json:
    return {name: getattr(target, name) for name in Target.__dataclass_fields__}


def asked_of_object(tag: Tag, spec: Mapping[str, Any], request: Mapping[str, Any]) -> Asked:
    """What a BentoDeployment and its BentoRequest ask for by themselves."""
    config = {"spec": dict(spec), "request": dict(request)}
    target = Target(bento_repository=tag.name, bento=tag.version, config=config)
    return Asked(dialect=Dialect.OBJECT, targets=(target,))


def setup_of(target: Target, dialect: Dialect, *, entry: str) -> Setup:
    """What a target's config means. `entry` is the name of its bento's entry service."""
    if dialect is Dialect.V1:
        return config_v1.setup_of(read(TargetConfig, target.config))
    if dialect is Dialect.V2:
        return config_v2.setup_of(read(ConfigV2, target.config), entry=entry)
    return from_spec(target.config["spec"], target.config["request"])


def config_for(reader: Dialect, target: Target, dialect: Dialect, *, entry: str, uid: str, version: str) -> Json:
    """A target's config in a reader's dialect. `uid` and `version` are those of the object."""
    if reader is dialect:
        return _with_object(target.config, uid, version) if reader is Dialect.V1 else target.config
    setup = setup_of(target, dialect, entry=entry)
    if reader is Dialect.V1:
        return config_v1.config_of(setup, uid=uid, version=version)
    return config_v2.config_of(setup, entry=entry)


def _with_object(config: Json, uid: str, version: str) -> Json:
    """A config of a client before 1.2 as it reads it back: with its object, and no null where it crashes on one."""
    shown = config | {"kubeResourceUid": uid, "kubeResourceVersion": version}
    return shown | ({"resources": {}} if "resources" in config and config["resources"] is None else {})
