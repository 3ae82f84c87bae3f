"""Where an LLMInferenceService answers: below a path of its own, under host names, and for whoever names its model in a
header. OpenAI's paths follow (`/v1/chat/completions`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.config import InferenceServiceConfig
from fairlead.dialects.kserve.graph.addresses import addressed, url_of
from fairlead.dialects.kserve.inference_service import hosts
from fairlead.dialects.kserve.inference_service.routes import Addressed
from fairlead.dialects.kserve.inference_service.template import ROLES
from fairlead.dialects.kserve.llm.crd import OTHERS
from fairlead.dialects.kserve.llm.presets import combined
from fairlead.dialects.kserve.llm.schema import KIND
from fairlead.errors import FairleadError
from fairlead.plan.model import ComponentName, HeaderMatch, Route, Target

MODEL_HEADER = "X-Gateway-Model-Name"
ALL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of one service. `taken` says who has its host names, and `rival` which older service has its
    model's name, if anybody has."""

    place: Addressed
    model: str
    taken: str = ""
    rival: str = ""

    @property
    def path(self) -> str:
        """Where its requests begin."""
        return f"/{self.place.namespace}/{self.place.name}"

    def routes(self, component: ComponentName) -> Iterator[Route]:
        """Every route to its replicas."""
        target = (Target(component=component, weight=ALL),)
        internal = self.place.is_internal
        for prefix, host in self._places():
            yield Route(path_prefix=prefix, host=host, targets=target, is_internal=internal)
        if not self.rival:
            named = HeaderMatch(name=MODEL_HEADER, value=self.model)
            yield Route(path_prefix="/v1/", rewrite="/v1/", headers=(named,), targets=target, is_internal=internal)

    def _places(self) -> Iterator[tuple[str, str]]:
        yield f"{self.path}/", ""
        workload = f"{self.place.name}-kserve-workload-svc"
        for host in hosts.inside(workload, self.place.namespace):
            yield "/", host
        if not self.taken:
            yield f"/serving{self.path}/", ""
            for host in self.place.answers_to(self.place.name, is_whole=True):
                yield "/", host

    def told(self, external_url: str) -> list[dict[str, str]]:
        """The addresses of a status, the first one for everybody."""
        found = []
        if not self.place.is_internal:
            found.append({"name": "gateway-external", "url": f"{_gateway(external_url)}{self.path}"})
            if not self.taken:
                found.append({"name": "gateway-host", "url": url_of(self.place, external_url)})
        inside = f"{self.place.name}-kserve-workload-svc"
        return [*found, {"name": "internal", "url": f"http://{hosts.inside(inside, self.place.namespace)[0]}"}]

    def warnings(self) -> Iterator[str]:
        """What it does not get."""
        if self.taken:
            yield f"{self.taken} answers under the same host names, so this service answers below {self.path}/ alone"
        if self.rival:
            yield (
                f"the header {MODEL_HEADER}: {self.model} leads to {self.rival}, which is older and has a model of the "
                "same name"
            )


def addresses_of(doc: Document, model: str, config: InferenceServiceConfig, world: World) -> Addresses:
    """The addresses of a service whose model is called so."""
    return Addresses(
        place=addressed(doc, config), model=model, taken=_taken(doc, world), rival=_rival(doc, model, world)
    )


def model_name(doc: Document, world: World) -> str:
    """What requests call a service's model."""
    try:
        spec = combined(doc, world).spec
    except FairleadError:
        spec = doc.get("spec") or {}
    return str((spec.get("model") or {}).get("name") or doc["metadata"]["name"])


def _taken(doc: Document, world: World) -> str:
    """Who of other kinds has the host names of this one."""
    name, namespace = doc["metadata"]["name"], doc["metadata"].get("namespace", "")
    for other in (name, *(name.removesuffix(f"-{role}") for role in ROLES if name.endswith(f"-{role}"))):
        for kind in OTHERS:
            if world.get(kind, namespace, other) is not None:
                return f"the {kind} {other}"
    return ""


def _rival(doc: Document, model: str, world: World) -> str:
    """The oldest of the older services whose model has this name."""
    older = [one for one in world.list(KIND) if _age(one) < _age(doc) and model_name(one, world) == model]
    first = min(older, key=_age, default=None)
    return "" if first is None else f"{first['metadata'].get('namespace', '')}/{first['metadata']['name']}"


def _age(doc: Document) -> tuple[str, str, str]:
    metadata = doc["metadata"]
    # What is not stored yet is the youngest.
    return str(metadata.get("creationTimestamp") or "9999"), metadata.get("namespace", ""), metadata["name"]


def _gateway(external_url: str) -> str:
    parts = urlsplit(external_url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "http://localhost"
