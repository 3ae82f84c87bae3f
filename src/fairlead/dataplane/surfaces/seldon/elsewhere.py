"""What a worker that is no graph of Seldon's says outside its protocols' paths: KServe's words (specs/kserve 5.5)."""

from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.surfaces.seldon.heads import JSON_LINE, has_orchestrator
from fairlead.plan.model import Protocol
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.jsontext import compact

_KSERVES = frozenset((Protocol.V1, Protocol.V2))


def is_elsewhere(spec: WorkerSpec) -> bool:
    """Whether clients of this worker expect KServe's answers rather than those of Seldon's orchestrator."""
    revision = spec.revision
    return _KSERVES.issuperset((revision.protocol, *revision.also)) and not has_orchestrator(spec)


class Elsewhere:
    """Answers for paths and verbs that are not here."""

    def unknown_path(self, request: Request, reply: Reply) -> None:  # noqa: ARG002 - a route's signature
        """There is nothing at this path."""
        reply(_detail(404, "Not Found", b""))

    def wrong_verb(self, request: Request, reply: Reply, verbs: list[str]) -> None:  # noqa: ARG002 - a seam's signature
        """The path does not take this verb."""
        reply(_detail(405, "Method Not Allowed", b"Allow: " + ", ".join(verbs).encode() + b"\r\n"))

    options = wrong_verb


def _detail(status: int, words: str, lines: bytes) -> Response:
    return Response(status, JSON_LINE + lines, compact({"detail": words}))
