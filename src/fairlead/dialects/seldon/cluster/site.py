"""Where a predictor is laid out: its deployment, the installation, its pods as their user wrote them, what runs in each
container, and where the orchestrator has its place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.findings import Findings
from fairlead.dialects.seldon import names
from fairlead.dialects.seldon.cluster.fusible import can_fuse
from fairlead.dialects.seldon.cluster.installation import Installation
from fairlead.dialects.seldon.cluster.programs import Program, find_program, orchestrator_image
from fairlead.dialects.seldon.cluster.raw import Json, copied, named
from fairlead.dialects.seldon.context import NodeContext, PredictorContext, predictor_contexts
from fairlead.dialects.seldon.defaults import Defaulted, has_separate_engine
from fairlead.dialects.seldon.graph import find_container
from fairlead.dialects.seldon.schema import PredictorSpec, SeldonDeployment
from fairlead.dialects.seldon.validate import NO_ENGINE_ANNOTATION


class Engine(StrEnum):
    """Where a predictor's orchestrator is."""

    BESIDE = "beside"
    """In a container of its own, in the pod of the first node that answers at `localhost`."""
    APART = "apart"
    """In a pod of its own."""
    FUSED = "fused"
    """In one process with all nodes of the graph."""
    NONE = "none"
    """Nowhere: the only node answers by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A predictor and what is known of its surroundings. `pods` are its componentSpecs as JSON, with a container for
    every prepackaged node; `programs` is by the names of the nodes that have one."""

    outer: PredictorContext
    installation: Installation
    world: World
    pods: tuple[Json, ...]
    programs: Mapping[str, Program]
    engine: Engine

    @property
    def sdep(self) -> SeldonDeployment:
        """The deployment, with its defaults."""
        return self.outer.sdep

    @property
    def predictor(self) -> PredictorSpec:
        """The predictor, with its defaults."""
        return self.outer.predictor

    @property
    def findings(self) -> Findings:
        """Where mistakes and warnings go."""
        return self.outer.findings

    @property
    def namespace(self) -> str:
        """The deployment's namespace."""
        return self.sdep.metadata.namespace

    @property
    def key(self) -> str:
        """The name of the predictor's Service."""
        return names.predictor_key(self.sdep, self.predictor)

    @property
    def is_grpc(self) -> bool:
        """Whether the hint of the transport says gRPC."""
        return self.sdep.spec.transport == "grpc"

    @property
    def certificate(self) -> str:
        """The Secret that the orchestrator serves TLS with; empty for plain text."""
        ssl = self.predictor.ssl
        return ssl.cert_secret_name if ssl is not None else ""

    def nodes_in(self, index: int) -> Iterator[NodeContext]:
        """The nodes whose container is in pod number `index`, parents first."""
        for context in self.outer.nodes():
            found = find_container(self.predictor, context.node.name)
            if found is not None and found.pod == index:
                yield context

    def pod_of_engine(self) -> int | None:
        """The number of the pod that has the orchestrator, or the graph's only node."""
        if self.engine is Engine.APART:
            return None
        for context in self.outer.nodes():
            found = find_container(self.predictor, context.node.name)
            if found is not None and (found.pod == 0 or self.engine is Engine.NONE):
                return found.pod
        return None

    def deployment_name(self, index: int) -> str:
        """The name of the Deployment of pod number `index`."""
        prefix = self.installation.has_name_prefix
        return names.deployment_name(self.sdep, self.predictor, index, keeps_prefix=prefix)


def sites(
    doc: Document, defaulted: Defaulted, installation: Installation, catalog: Catalog, world: World, findings: Findings
) -> list[Site]:
    """The predictors in order."""
    written = doc["spec"]["predictors"]
    return [
        _site(context, written[context.index], installation, world)
        for context in predictor_contexts(defaulted, catalog, findings)
    ]


def _site(outer: PredictorContext, written: Mapping[str, Any], installation: Installation, world: World) -> Site:
    pods = _pods(outer, written)
    programs = {
        context.node.name: find_program(context, pods[found.pod]["spec"], installation)
        for context in outer.nodes()
        if (found := find_container(outer.predictor, context.node.name)) is not None
    }
    return Site(
        outer=outer,
        installation=installation,
        world=world,
        pods=pods,
        programs=programs,
        engine=_engine(outer, pods, programs, installation),
    )


def _pods(outer: PredictorContext, written: Mapping[str, Any]) -> tuple[Json, ...]:
    """The pods as written; where defaulting added containers, they have their name alone."""
    raw = copied(written.get("componentSpecs") or [])
    for index, pod in enumerate(outer.predictor.component_specs):
        if index == len(raw):
            raw.append({"spec": {"containers": []}})
        listed = raw[index]["spec"]["containers"]
        listed += [{"name": item.name} for item in pod.spec.containers if named(listed, item.name) is None]
    return tuple(raw)


def _engine(
    outer: PredictorContext, pods: tuple[Json, ...], programs: Mapping[str, Program], installation: Installation
) -> Engine:
    if outer.predictor.annotations.get(NO_ENGINE_ANNOTATION, "").lower() == "true" and programs:
        return Engine.NONE
    first = {context.node.name for context in outer.nodes() if _is_in_first_pod(outer, context)}
    if has_separate_engine(outer.sdep) or not first:
        # Upstream refuses a graph of which nothing is in the first pod. Built-in nodes need no pod at all, and others
        # are asked through their Services as well from a pod of the orchestrator's own.
        return Engine.APART
    is_own = not orchestrator_image(outer.sdep, installation)
    return Engine.FUSED if is_own and can_fuse(outer, pods, programs) else Engine.BESIDE


def _is_in_first_pod(outer: PredictorContext, context: NodeContext) -> bool:
    found = find_container(outer.predictor, context.node.name)
    return found is not None and found.pod == 0
