"""The plan: what to run, how requests reach it and how it scales, in words that belong to no dialect.

Front-ends lower manifests into these values and back-ends make them true. Every value is frozen, comparable,
hashable and printable; nothing here reads a file, a clock or the environment. Names of fields are a contract
between processes too: `msgspec` writes them as they stand (steps are its structs because a union of plain
dataclasses cannot be read back).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

import msgspec

from fairlead.plan.access import OPEN, Access
from fairlead.plan.bentos import BentoStyle, ImageBuild
from fairlead.plan.scaling import ScalePolicy

UnitName = NewType("UnitName", str)
ComponentName = NewType("ComponentName", str)


class Method(StrEnum):
    """What a step asks of a unit."""

    PREDICT = "predict"
    TRANSFORM_INPUT = "transform-input"
    TRANSFORM_OUTPUT = "transform-output"
    ROUTE = "route"
    AGGREGATE = "aggregate"
    FEEDBACK = "feedback"
    EXPLAIN = "explain"


class Protocol(StrEnum):
    """The wire protocol a component answers in."""

    SELDON = "seldon"
    TENSORFLOW = "tensorflow"
    V1 = "v1"
    V2 = "v2"
    RAW = "raw"
    """None of its own: any path leads to the graph, and what a body is made of is between its client and its units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The resource a plan belongs to."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""
    generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A constructor argument, already of its type."""

    name: str
    value: str | int | float | bool
    type: str = "STRING"
    """The manifest's own word for the type, for env variables that repeat it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRef:
    """One key of a Secret or ConfigMap in the plan's namespace."""

    kind: str
    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVar:
    """An environment variable: a literal value, or where to read it (then `value` is empty)."""

    name: str
    value: str = ""
    source: KeyRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFrom:
    """Every key of a Secret or ConfigMap as environment variables."""

    kind: str
    name: str
    prefix: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretEntry:
    """One entry of a Secret that describes a store: credentials, type, bucket. `path` is where in it the model lies,
    `parameters` replace fields of the entry; without a `key` the store's default entry is meant."""

    secret: str
    key: str = ""
    path: str = ""
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of several sources of an artifact; `mount` is its artifact's own mount or a path below it."""

    uri: str
    mount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model to fetch before its unit starts, and how to be allowed to. With `parts` the folder is put together from
    them and `uri` is only its name; with `entry` a Secret says what `uri` is."""

    uri: str
    mount: str = "/mnt/models"
    """The path the manifest believes in; a back-end may put the files elsewhere and tell the unit so."""
    env_secret: str | None = None
    """Secret whose keys are environment variables for the transfer (rclone remotes)."""
    service_account: str | None = None
    init_env: tuple[EnvVar, ...] = ()
    """Literal variables of the init container a manifest spelled out."""
    parts: tuple[Part, ...] = ()
    entry: SecretEntry | None = None
    credential_secret: str = ""
    """Secret to take credentials from instead of the ServiceAccount's; it must exist."""
    store_settings: tuple[tuple[str, str], ...] = ()
    """What an installation's configuration says of S3 where a Secret with its keys does not, by KServe's names."""
    unpacks: bool = False
    """Whether a model that is one archive (zip, tar, tar.gz, tgz) is wanted for what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefetched:
    """A model to have here before anybody asks for it, under the name that the manifest knows it by. One that
    `is_bento` has its environment built too, and its status says what is in it; `image` is made of it as well."""

    name: str
    artifact: Artifact
    is_bento: bool = False
    image: ImageBuild | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedModel:
    """A model that a running component takes in and lets go of. `runtime` is what runs it, `memory_bytes` what the
    manifest says it needs, 0 when it says nothing."""

    name: str
    runtime: str
    artifact: Artifact
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Another service that a unit's code calls by itself (a transformer's predictor). `host` may have a port; when it
    `is_inside` it is a name that the routes of one of our own services have, which only a back-end knows the way to.
    `protocol` is how it is asked (`v1`, `v2`, `grpc-v2`)."""

    host: str
    is_inside: bool = False
    protocol: str = "v1"
    is_tls: bool = False
    headers: tuple[str, ...] = ()
    """Regular expressions of request headers that travel on to it, besides those that always do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits and requests in plain units. `None` means not set."""

    cpu_request: float | None = None
    cpu_limit: float | None = None
    memory_request_bytes: int | None = None
    memory_limit_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCode:
    """A Python class: `Module` (class of the same name) or `pkg.module.Class`, and where to import it from."""

    target: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder a container expects: `source` names a volume kind (`scratch`, `claim:<name>`, `secret:<name>`,
    `config:<name>`, `artifact`)."""

    path: str
    source: str
    read_only: bool = False
    sub_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A unit whose image we do not know: run it with Docker or Podman as the manifest says."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    working_dir: str = ""
    init: tuple["InitContainer", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InitContainer:
    """A container that runs to its end before the unit starts."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BentoPart:
    """What of a bento a unit serves: a `service` (new style) or a `runner` (old style) by its name, and without either
    the API server, or the entry service with all others beside it. `peers` are the runners or services that other
    components serve; whatever is not among them runs in the same place."""

    service: str = ""
    runner: str = ""
    peers: tuple[tuple[str, ComponentName], ...] = ()
    style: BentoStyle = BentoStyle.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One thing that runs code.

    `runtime` names how: a model format (`sklearn`, `xgboost`, `mlflow`), `python` (then `code` is set),
    `builtin` (then `variant` says which), `sample` (stand-ins for well-known test images, by `variant`),
    `command` (then `command` is set), `container` (then `container` is set), `remote` (then `url` is set) or `bento`
    (then `bento` is set, and `artifact` is the bento with its models below `models/<name>/<version>`).
    """

    name: UnitName
    runtime: str
    variant: str = ""
    image: str = ""
    """What responses report in their request path; empty for units without an image."""
    parameters: tuple[Parameter, ...] = ()
    artifact: Artifact | None = None
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    code: UserCode | None = None
    command: tuple[str, ...] = ()
    container: Container | None = None
    url: str = ""
    is_inside: bool = False
    """`url` names a host of one of our own services, which only a back-end knows the way to."""
    upstream: Upstream | None = None
    http_port: int = 0
    grpc_port: int = 0
    metrics_port: int = 0
    resources: Resources = field(default_factory=Resources)
    isolate: bool = False
    """Give this unit a process of its own although it could share the revision's worker."""
    holds_models: bool = False
    """It has no model of its own but those that its component hosts, each of its own framework."""
    bento: BentoPart | None = None
    where: str = ""
    """Path of the unit in the manifest, for messages."""

    @property
    def is_external(self) -> bool:
        """Whether the unit's code runs outside the revision's worker."""
        return self.isolate or self.runtime in ("command", "container", "remote", "bento")


class Call(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask one unit, with the message as it stands; the answer replaces the message."""

    unit: UnitName
    method: Method


class Chain(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Steps one after the other."""

    steps: tuple["Step", ...]


class Branch(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Hand the message to some of the choices and reduce their answers to one.

    With `route`, that unit is asked first: -1 means every choice, -2 means none (the message is the answer and
    `combine` is skipped), N means that choice. Without it every choice gets the message, concurrently. With
    `combine`, that unit reduces the list of answers; without it the first answer is taken. The first error in
    the order of the choices wins. `name` is the key under which the decision is recorded.
    """

    name: UnitName
    choices: tuple["Step", ...]
    route: UnitName | None = None
    combine: UnitName | None = None


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One of the things that a `Split`, `Switch`, `Merge` or `Sequence` may do, of which each reads its own fields.

    What these steps look at is a status and a body: an answer below 200 or above 299 is a failure, and it ends the step
    when the hop `is_required`. Without an answer everything ends.
    """

    label: str
    """What it is called: in a merged answer, in logs, and for the client who asks what failed."""
    step: "Step"
    weight: int = 0
    condition: str = ""
    """A GJSON path that must find something; empty for none."""
    is_required: bool = False
    takes_answer: bool = False
    """It gets the answer of the one before it instead of what the sequence got."""
    renames_predictions: bool = False
    """What it gets under `predictions` is sent as `instances`."""


class Split(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Do one of the hops, by chance: the weights are percentages."""

    name: str
    hops: tuple[Hop, ...]


class Switch(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Do the first hop whose condition finds something in the request. With none the request has no way to go."""

    name: str
    hops: tuple[Hop, ...]


class Merge(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Do all hops side by side, with the same request; their answers become one JSON object, by label."""

    name: str
    hops: tuple[Hop, ...]


class Sequence(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Do the hops one after the other; the last answer counts. A hop whose condition finds nothing in the answer before
    it ends the sequence with that answer."""

    name: str
    hops: tuple[Hop, ...]


class Enter(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Go on with the step that the graph has under this name. Steps may lead back to themselves."""

    name: str


Flow = Split | Switch | Merge | Sequence
"""What decides by weights, conditions and statuses."""
Step = Call | Chain | Branch | Split | Switch | Merge | Sequence | Enter


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """How a reward travels: to the children named by the recorded routing (all of them when there is none),
    then to the unit itself if it `accepts`."""

    unit: UnitName
    accepts: bool
    children: tuple["Feedback", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A unit's place in the drawing of the graph, for metadata: its children and which side its inputs and
    outputs come from (`kind`: model, transformer, output-transformer, combiner, router)."""

    unit: UnitName
    kind: str
    children: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """How one request flows through the units of a revision."""

    root: Step
    feedback: Feedback | None = None
    drawing: Node | None = None
    named: tuple[tuple[str, Step], ...] = ()
    """Steps to `Enter`."""


class LogStyle(StrEnum):
    """Whose words the events of a payload logger use."""

    SELDON = "seldon"
    KSERVE = "kserve"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStore:
    """How a logger whose `url` is a bucket writes there. `access` says which credentials it has. An object holds
    `batch_size` payloads, or what came within `interval_s` of the first (0: however long it takes)."""

    access: Artifact
    path: str = ""
    format: str = "json"
    batch_size: int = 1
    interval_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Logger:
    """Copy payloads of one unit (an empty name: of the whole graph) as CloudEvents to `url` (empty: the default sink).
    `mode` is `request`, `response` or `all`. `redact` are paths of JSON fields whose values are not logged."""

    unit: UnitName
    mode: str
    url: str = ""
    style: LogStyle = LogStyle.SELDON
    redact: tuple[str, ...] = ()
    metadata_headers: tuple[str, ...] = ()
    """Request headers to repeat in the event; KServe's only, as `annotations`."""
    annotations: tuple[tuple[str, str], ...] = ()
    store: LogStore | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """Gather requests until they hold `max_rows` instances together or the first has waited `max_latency_s`."""

    max_rows: int = 32
    max_latency_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one replica takes at once: requests under way (0: any number), and those that may wait besides."""

    concurrency: int = 0
    waiting: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """An immutable version of a component. `hash` covers everything here but itself and `labels`' order."""

    hash: str
    units: tuple[Unit, ...]
    graph: Graph
    protocol: Protocol = Protocol.SELDON
    also: tuple[Protocol, ...] = ()
    """Protocols it answers besides."""
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    env: tuple[EnvVar, ...] = ()
    """Settings of the orchestrating worker itself, not of a unit."""
    timeout_s: float | None = None
    """Limit of one call to one unit; `None` means none."""
    grpc_timeout_s: float | None = None
    """The same for calls of clients over gRPC."""
    loggers: tuple[Logger, ...] = ()
    batching: Batching | None = None
    limits: Limits = field(default_factory=Limits)
    drain_s: float = 20.0
    include_routing: bool = True

    @property
    def settings(self) -> dict[str, str]:
        """`env` by name."""
        return {var.name: var.value for var in self.env}


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A thing that scales on its own. `name` is the manifest's word for it, `full_name` is unique in its
    namespace and a DNS label. `group` is the Deployment name a cluster would have used."""

    name: ComponentName
    full_name: str
    revision: Revision
    scale: ScalePolicy = field(default_factory=ScalePolicy)
    group: str = ""
    progress_deadline_s: float = 600.0
    labels: tuple[tuple[str, str], ...] = ()
    """What its replicas are found by; no part of the revision."""
    role: str = ""
    """What it is in its resource (predictor, transformer, …), for logs of payloads; its name when empty."""
    patience_s: float = 30.0
    """How long requests wait while no replica is ready."""
    hosted: tuple[HostedModel, ...] = ()
    """For its unit that `holds_models`."""
    containers: tuple[tuple[UnitName, str], ...] = ()
    """What the containers of units are called where replicas are shown as pods; the others have their units' names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderMatch:
    """A header that must have exactly this value, or match this regular expression."""

    name: str
    value: str
    is_regex: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A share of a route's requests. Weights are relative; zero gets none."""

    component: ComponentName
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Copy this percentage of a route's requests to a component and drop its answers."""

    component: ComponentName
    percent: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Requests that match go to the targets by weight. A match removes `path_prefix` and puts `rewrite` in its
    place. `metadata` is what a gRPC call must carry to match. `grpc_timeout_s` limits the gRPC calls of a route that
    takes other requests too; a route with `metadata` takes no others and has `timeout_s` alone.

    `path_pattern` is a regular expression that the whole path after the prefix must match; a route that has one comes
    before its like without. One that `is_internal` is for our own services, not for clients."""

    path_prefix: str = ""
    path_pattern: str = ""
    is_internal: bool = False
    host: str = ""
    headers: tuple[HeaderMatch, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    rewrite: str = "/"
    targets: tuple[Target, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    timeout_s: float | None = None
    grpc_timeout_s: float | None = None
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What clients that ask for one of these hosts are shown: a Secret with `tls.crt` and `tls.key`, in PEM."""

    secret: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything one resource asks for."""

    owner: Owner
    components: tuple[Component, ...]
    routes: tuple[Route, ...]
    secrets: tuple[str, ...] = ()
    """Names of the Secrets it needs, in its own namespace."""
    certificates: tuple[Certificate, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    """What the manifest asks for that means nothing here, one sentence each."""
    docs_path: str = ""
    """Where a browser finds the API's own page, on the gateway."""
    prefetched: tuple[Prefetched, ...] = ()
    access: Access = OPEN
    """Who may send it requests from outside."""
    behind: tuple[Owner, ...] = ()
    """Resources that have names which this one would have too; when one of them changes or goes, it is looked at
    again."""
