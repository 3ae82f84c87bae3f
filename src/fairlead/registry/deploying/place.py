"""Where deployments run, as far as the registry needs to know: a store of Kubernetes-shaped objects, with pods.

The control plane of one machine is one, a cluster another. Nothing here decides what an object means.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Document = Mapping[str, Any]
"""A Kubernetes object, or part of one."""

DEPLOYMENT = "BentoDeployment"
REQUEST = "BentoRequest"
BENTO = "Bento"
SECRET = "Secret"  # noqa: S105  # the kind
POD = "Pod"
EVENT = "Event"

API_VERSIONS = {
    DEPLOYMENT: "serving.yatai.ai/v2alpha1",
    REQUEST: "resources.yatai.ai/v1alpha1",
    BENTO: "resources.yatai.ai/v1alpha1",
    SECRET: "v1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPart:
    """Which part of a container's log: all of it unless `tail_lines` says how much, and what comes if it `follows`."""

    container: str = ""
    follows: bool = False
    tail_lines: int | None = None
    has_times: bool = False


class Place(Protocol):
    """Objects are complete documents and go by kind, namespace and name. Labels select by equality."""

    async def get(self, kind: str, namespace: str, name: str) -> Document | None:
        """One object, if it is there."""
        ...

    async def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Document]:
        """All objects of a kind, in the order of namespace and name; in every namespace when none is given."""
        ...

    async def put(self, document: Document) -> Document:
        """Create an object, with its namespace when that is missing, or give it this `spec` (or `data`), annotations
        and labels. Raises `InvalidManifest` for one that the place would not take. Gives what is stored."""
        ...

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object; nothing happens when it is not there."""
        ...

    def changes(self, kinds: Sequence[str], namespace: str | None = None) -> AsyncGenerator[None, None]:
        """One item at once, and one for each time that objects of these kinds may have changed since; those that come
        together may be one."""
        ...

    async def log(self, namespace: str, pod: str, part: LogPart) -> AsyncGenerator[bytes, None]:
        """Lines of a pod's log, each with its end of line. Raises `NotFound` when nothing of that pod is kept."""
        ...

    def urls(self, document: Document) -> Sequence[str]:
        """Where a BentoDeployment answers; nothing when it is not for the outside, or not there yet."""
        ...
