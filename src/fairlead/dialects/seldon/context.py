"""Where a node stands while it is lowered: its deployment, predictor, pod and container, in one value."""

from collections.abc import Iterator
from dataclasses import dataclass

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.findings import Findings
from fairlead.dialects.podspec import Container, PodSpec
from fairlead.dialects.seldon.defaults import Defaulted, Ports
from fairlead.dialects.seldon.graph import Placed, find_container, walk
from fairlead.dialects.seldon.schema import PredictiveUnit, PredictorSpec, SeldonDeployment, SeldonPodSpec

_NO_PORTS = Ports(0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorContext:
    """A predictor whose defaults are filled in, and what its nodes share."""

    sdep: SeldonDeployment
    predictor: PredictorSpec
    index: int
    ports: dict[tuple[int, str], Ports]
    catalog: Catalog
    findings: Findings

    @property
    def path(self) -> str:
        """The predictor's path in the manifest."""
        return f"spec.predictors[{self.index}]"

    def nodes(self) -> "Iterator[NodeContext]":
        """All nodes, parents first. A name that is used twice is one unit: the first."""
        seen: set[str] = set()
        for placed in walk(self.predictor, self.index):
            if placed.node.name not in seen:
                seen.add(placed.node.name)
                yield NodeContext(outer=self, placed=placed)


def predictor_contexts(defaulted: Defaulted, catalog: Catalog, findings: Findings) -> Iterator[PredictorContext]:
    """The predictors in order."""
    for index, predictor in enumerate(defaulted.deployment.spec.predictors):
        yield PredictorContext(
            sdep=defaulted.deployment,
            predictor=predictor,
            index=index,
            ports=defaulted.ports,
            catalog=catalog,
            findings=findings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """A node of that predictor."""

    outer: PredictorContext
    placed: Placed

    @property
    def node(self) -> PredictiveUnit:
        """The node itself."""
        return self.placed.node

    @property
    def path(self) -> str:
        """The node's path in the manifest."""
        return self.placed.path

    @property
    def findings(self) -> Findings:
        """Where mistakes and warnings go."""
        return self.outer.findings

    @property
    def container(self) -> Container:
        """The node's container; an empty one for a node that needs none."""
        found = find_container(self.outer.predictor, self.node.name)
        return found.container if found else Container(name=self.node.name)

    @property
    def container_path(self) -> str:
        """The container's path in the manifest; the node's for a container that nobody wrote."""
        found = find_container(self.outer.predictor, self.node.name)
        if found is None:
            return self.path
        return f"{self.outer.path}.componentSpecs[{found.pod}].spec.containers[{found.position}]"

    @property
    def pod_path(self) -> str:
        """The path of the container's pod specification."""
        found = find_container(self.outer.predictor, self.node.name)
        return f"{self.outer.path}.componentSpecs[{found.pod if found else 0}].spec"

    @property
    def pod(self) -> SeldonPodSpec:
        """The pod of the container; an empty one for a node without container."""
        found = find_container(self.outer.predictor, self.node.name)
        if found is None:
            return SeldonPodSpec(spec=PodSpec(containers=[]))
        return self.outer.predictor.component_specs[found.pod]

    @property
    def ports(self) -> Ports:
        """The container's ports."""
        return self.outer.ports.get((self.outer.index, self.node.name), _NO_PORTS)
