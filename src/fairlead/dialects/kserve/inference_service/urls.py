"""The addresses that a status tells: names of hosts with the port that a gateway listens on."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from fairlead.dialects.kserve.inference_service import hosts
from fairlead.dialects.kserve.inference_service.claims import named
from fairlead.dialects.kserve.inference_service.routes import Addressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls:
    """`external_url` is where a gateway is (`http://localhost:8080`); without one, addresses are a cluster's."""

    addressed: Addressed
    external_url: str = ""

    def service(self, entry: str) -> str:
        """`status.url`. `entry` is the component that requests go to first."""
        addressed = self.addressed
        if addressed.is_internal:
            return f"http://{hosts.inside(addressed.name, addressed.namespace)[0]}"
        path = hosts.path_of(named(addressed.doc), addressed.ingress)
        if path and addressed.is_knative:
            return self._outside(addressed.ingress.domain) + path
        if addressed.is_knative and not addressed.ingress.has_virtual_host:
            return self.part(entry)
        return self._outside(addressed.outside(addressed.name))

    def part(self, role: str, *, tag: str = "") -> str:
        """The outside address of a component, or of one of its tagged revisions."""
        addressed = self.addressed
        name = f"{tag}-{addressed.name}-{role}" if tag else f"{addressed.name}-{role}"
        if addressed.is_internal:
            return f"http://{hosts.inside(name, addressed.namespace)[0]}"
        url = self._outside(addressed.outside(name))
        # KServe tells the components of Standard mode with this scheme always.
        return url if addressed.is_knative or self.external_url else f"http://{url.partition('://')[2]}"

    def grpc(self, role: str) -> str:
        """Where gRPC clients find a component: the same name and port."""
        return f"grpc://{self.part(role).partition('://')[2]}"

    def inside(self, name: str) -> str:
        """The address of a cluster's Service."""
        return f"http://{hosts.inside(name, self.addressed.namespace)[0]}"

    def _outside(self, host: str) -> str:
        scheme, port = self.addressed.ingress.scheme, ""
        if self.external_url:
            parts = urlsplit(self.external_url)
            scheme = parts.scheme if scheme == "http" else scheme
            port = f":{parts.port}" if parts.port else ""
        return f"{scheme}://{host}{port}"
