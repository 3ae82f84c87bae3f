"""The nodes of a graph as steps of a plan, and who is asked in them as units."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from fairlead.dialects.base import World
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.graph.fusing import NotFusable, copied
from fairlead.dialects.kserve.graph.options import FUSE, Options
from fairlead.dialects.kserve.graph.schema import ANSWER, ROOT, GraphNode, GraphStep, InferenceGraph
from fairlead.dialects.kserve.graph.targets import service_url
from fairlead.plan.model import (
    Call,
    Enter,
    Flow,
    Graph,
    Hop,
    Merge,
    Method,
    Parameter,
    Sequence,
    Split,
    Step,
    Switch,
    Unit,
    UnitName,
)

_KINDS: Mapping[str, type[Flow]] = {"Sequence": Sequence, "Splitter": Split, "Ensemble": Merge, "Switch": Switch}
_INSIDE = (".svc.cluster.local", ".svc")
_RETRIES = "retries"
_SERVICE, _URL = "service", "url"


@dataclass(slots=True)
class Lowering:
    """One graph on its way. `domain` is that of our own services' names outside; units are collected by what they
    ask."""

    graph: InferenceGraph
    options: Options
    world: World
    domain: str
    findings: Findings
    is_in_cluster: bool = False
    """Names of services mean what they mean in a cluster: each is an address of its own, with a port."""
    units: dict[tuple[str, str], Unit] = field(default_factory=dict)

    def steps(self) -> Graph:
        """Every node. Raises `ServiceMissing` and `NoProtocol`."""
        named = tuple((name, self._node(name, node)) for name, node in self.graph.spec.nodes.items())
        if self.options.is_fused:
            self._fuse()
        return Graph(root=Enter(name=ROOT), named=named)

    def _fuse(self) -> None:
        """Hold every service in the graph's own process, or none of them."""
        namespace = self.graph.metadata.namespace
        held: dict[tuple[str, str], Unit] = {}
        try:
            for key, unit in self.units.items():
                if key[0] != _SERVICE:
                    raise NotFusable(f"{unit.where} asks a URL")
                held[key] = replace(copied(key[1], unit.url, namespace, self.world), where=unit.where)
        except NotFusable as why:
            self.findings.warn(f"annotation {FUSE}: services are asked where they are: {why}")
        else:
            self.units = held

    def _node(self, name: str, node: GraphNode) -> Flow:
        hops = tuple(self._hop(name, node, index, step) for index, step in enumerate(node.steps))
        if node.router_type == "Switch":
            self._warn_of_unreachable(name, node)
        elif node.steps and node.steps[0].condition and node.router_type == "Sequence":
            path = f"spec.nodes.{name}.steps[0].condition"
            self.findings.warn(f"{path}: there is no answer yet that it could look at, so every request fails")
        return _KINDS[node.router_type](name=name, hops=hops)

    def _hop(self, node_name: str, node: GraphNode, index: int, step: GraphStep) -> Hop:
        return Hop(
            label=_label(node, index, step),
            step=self._target(f"spec.nodes.{node_name}.steps[{index}]", f"{node_name}.{step.name or index}", step),
            weight=step.weight or 0 if node.router_type == "Splitter" else 0,
            condition=step.condition if node.router_type in ("Switch", "Sequence") else "",
            is_required=step.dependency == "Hard",
            takes_answer=node.router_type == "Sequence" and step.data == ANSWER and index > 0,
            renames_predictions=node.router_type == "Sequence" and step.map_predictions_to_instances,
        )

    def _target(self, path: str, called: str, step: GraphStep) -> Step:
        if step.node_name:
            if step.node_name not in self.graph.spec.nodes:
                known = ", ".join(self.graph.spec.nodes)
                self.findings.refuse(f"{path}.nodeName", f"there is no node {step.node_name!r}; there are {known}")
            return Enter(name=step.node_name)
        if step.service_name:
            namespace = self.graph.metadata.namespace
            url = service_url(step.service_name, namespace, self.world)
            return self._ask((_SERVICE, step.service_name), step.service_name, url, path, is_inside=True)
        return self._elsewhere(path, called, step.service_url)

    def _elsewhere(self, path: str, called: str, url: str) -> Step:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            self.findings.refuse(f"{path}.serviceUrl", f"{url!r} is no URL: {error}")
            return Enter(name=ROOT)
        if parts.scheme not in ("http", "https") or not host:
            self.findings.refuse(f"{path}.serviceUrl", f"{url!r} is no URL; expected http://host/path or https://…")
        is_inside = not self.is_in_cluster and host.endswith((*_INSIDE, f".{self.domain}"))
        if is_inside and port is not None:
            # Our own services have no ports: one gateway answers for them all.
            url = parts._replace(netloc=host).geturl()
        return self._ask((_URL, url), called, url, path, is_inside=is_inside)

    def _ask(self, key: tuple[str, str], name: str, url: str, path: str, *, is_inside: bool) -> Step:
        if key not in self.units:
            retries = self.options.retries
            self.units[key] = Unit(
                name=UnitName(name),
                runtime="remote",
                url=url,
                is_inside=is_inside,
                parameters=(Parameter(name=_RETRIES, value=retries, type="INT"),) if retries else (),
                where=path,
            )
        return Call(unit=self.units[key].name, method=Method.PREDICT)

    def _warn_of_unreachable(self, name: str, node: GraphNode) -> None:
        for index, step in enumerate(node.steps):
            if not step.condition:
                self.findings.warn(f"spec.nodes.{name}.steps[{index}]: it has no condition, so it is never taken")


def _label(node: GraphNode, index: int, step: GraphStep) -> str:
    """What a step is called; in an Ensemble, where its answer stands."""
    if step.name or node.router_type == "Ensemble":
        return step.name or str(index)
    return step.service_name or step.node_name or str(index)
