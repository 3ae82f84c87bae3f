"""What V2 clients may ask besides inference: health, metadata and the repository of models.

Bodies are those of KServe's servers; MLServer's clients look at the status alone.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fairlead.dataplane.surfaces import docs
from fairlead.dataplane.surfaces.models import ModelNotReady
from fairlead.dataplane.surfaces.v2 import open_api
from fairlead.errors import BadRequest, NotReady
from fairlead.protocols.exchange import Request
from fairlead.protocols.v2_json import loads
from fairlead.runtimes.base import ModelState, TensorSpec

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

EXTENSIONS = ("model_repository_extension", "model_repository", "binary_tensor_data")
"""KServe's word for it, and those of the protocol's own documents."""

Json = dict[str, Any] | list[dict[str, Any]]


class Describing:
    """Answers as JSON values; failures are raised."""

    def __init__(self, parts: "Parts") -> None:
        self._parts = parts
        self._spec = parts.spec
        self._models = parts.models

    async def server(self) -> Json:
        from importlib.metadata import version  # 4 ms that a cold start need not pay

        return {"name": "fairlead", "version": version("fairlead"), "extensions": list(EXTENSIONS)}

    async def live(self) -> Json:
        return {"live": True}

    async def ready(self) -> Json:
        if not await self._models.all_ready():
            raise NotReady("Server is not ready.")
        return {"ready": True}

    async def listed(self) -> Json:
        return {"models": list(self._models.names)}

    async def model(self, name: str, version: str = "") -> Json:
        """A model's metadata: what its own code says wins over what its runtime knows."""
        described = await self._models.described(self._models.resolve(name, version), version)
        return {
            "name": described.name,
            "versions": list(described.versions),
            "platform": described.platform,
            "inputs": [_spec(one) for one in described.inputs],
            "outputs": [_spec(one) for one in described.outputs],
        }

    async def model_ready(self, name: str, version: str = "") -> Json:
        name = self._models.resolve(name, version)
        if not await self._models.is_ready(name):
            raise ModelNotReady(name)
        return {"name": name, "ready": True}

    async def index(self, body: bytes) -> Json:
        asked = _object(body)
        if type(asked.get("ready", False)) is not bool:
            raise BadRequest('expected an object like {"ready": true}, or no body')
        return [
            {"name": model.name, "version": model.version, "state": model.state.value, "reason": model.reason}
            for model in self._models.index()
            if model.state is ModelState.READY or not asked.get("ready")
        ]

    async def load(self, name: str, body: bytes) -> Json:
        parameters = _object(body).get("parameters")
        refuse_overrides(parameters if type(parameters) is dict else ())
        await self._models.load(name)
        return {"name": name, "load": True}

    async def unload(self, name: str) -> Json:
        await self._models.unload(name)
        return {"name": name, "unload": True}

    async def open_api(self, request: Request) -> bytes:
        """The description of the API at the address it is read at."""
        from fairlead.dataplane.surfaces.openai.open_api import with_openai  # nobody needs it before

        described = await self._models.described(self._models.resolve(""))
        title, prefix = f"{self._spec.service}: {self._spec.component}", docs.prefix_of(request)
        return with_openai(open_api.describe(title, prefix=prefix, model=described), self._parts, prefix)


def refuse_overrides(parameters: Iterable[str]) -> None:
    """Triton's clients may send another configuration or other files with what they load. Doing without them would
    serve a model that nobody asked for."""
    for name in parameters:
        if name == "config" or name.startswith("file:"):
            raise BadRequest(f"parameter {name!r}: a model is loaded as its folder says; expected no {name!r}")


def _object(body: bytes) -> dict[str, Any]:
    asked = loads(body) if body.strip() else {}
    if type(asked) is not dict:
        raise BadRequest('expected an object like {"ready": true}, or no body')
    return asked


def _spec(one: TensorSpec) -> dict[str, Any]:
    return {"name": one.name, "datatype": one.datatype, "shape": list(one.shape)}
