"""Services that a graph of services holds in its own worker, each with its own surface before it.

Such a unit has code and a URL: the path of the URL is where its service would be asked, which says the protocol and the
model's name. So what it answers is what the service would, bytes for bytes.
"""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace as changed

from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.graph.inner_service import InnerService
from fairlead.dataplane.graph.units import LocalUnit
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.spec import WorkerSpec
from fairlead.plan.model import Call, Graph, Method, Protocol, Unit, UnitName

Bind = Callable[[Unit, WorkerSpec], LocalUnit]
_PROTOCOLS = {"v1": Protocol.V1, "v2": Protocol.V2}


def spoken_by(unit: Unit) -> Protocol:
    """The protocol of the path at which a unit is asked."""
    return _PROTOCOLS.get(urlsplit(unit.url).path.lstrip("/").partition("/")[0], Protocol.V1)


def inner_service(unit: Unit, spec: WorkerSpec, meters: Meters, bind: Bind) -> InnerService:
    """The service of a unit that was loaded here. `bind` binds a unit of a worker to its code."""
    from fairlead.dataplane.surfaces.composing import Surfaces

    inner = _spec_of(unit, spec)
    named = inner.revision.units[0]
    code = bind(named, inner)
    executor = Executor(inner.revision.graph, {named.name: code})
    surfaces = Surfaces(inner, executor, meters.inside())
    return InnerService(unit, surfaces, code, timeout_s=spec.revision.timeout_s)


def _spec_of(unit: Unit, spec: WorkerSpec) -> WorkerSpec:
    """What a worker of this unit alone would be told."""
    named = replace(unit, name=UnitName(_model_of(unit)))
    revision = replace(
        spec.revision,
        units=(named,),
        graph=Graph(root=Call(unit=named.name, method=Method.PREDICT)),
        protocol=spoken_by(unit),
        env=(),
        timeout_s=None,  # a call of the whole service has one
    )
    placements = [changed(one, unit=named.name) for one in spec.placements if one.unit == unit.name]
    return changed(spec, revision=revision, placements=placements)


def _model_of(unit: Unit) -> str:
    """The model in the path: `/v1/models/<name>:predict`, `/v2/models/<name>/infer`."""
    name = urlsplit(unit.url).path.removesuffix(":predict").removesuffix("/infer").rpartition("/")[2]
    return unquote(name) or unit.name
