"""Units of a graph that answer for themselves too, at ports of their own.

In a pod each node of a graph has its own ports: clients ask a node there without the graph, and whoever replaces the
orchestrator still finds it. A node that shares the worker answers there as a worker of that unit alone would, and its
rows share calls with those that come through the graph.
"""

from dataclasses import replace

from msgspec.structs import replace as changed

from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.surfaces.composing import Surfaces
from fairlead.plan.model import Call, Feedback, Graph, Method, Node, Protocol


def surface_of(name: str, spec: WorkerSpec, executor: Executor, meters: Meters) -> Surfaces:
    """The surface of one unit alone. Raises `NotFound` when the graph has no such unit."""
    found = executor.unit(name)
    graph = Graph(
        root=Call(unit=found.unit.name, method=Method.PREDICT),
        feedback=Feedback(unit=found.unit.name, accepts=True),
        drawing=Node(unit=found.unit.name, kind="model"),
    )
    revision = replace(
        spec.revision, units=(found.unit,), graph=graph, loggers=(), batching=None, also=(Protocol.V2, Protocol.V1)
    )
    placements = [one for one in spec.placements if one.unit == name]
    alone = changed(spec, revision=revision, placements=placements, single_unit=True, own_doors=[], tls=None)
    return Surfaces(alone, Executor(graph, {name: found}), meters.inside())
