"""The certificate's Secret and the webhooks' configurations in a real cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.resources import SECRET, ResourceType
from fairlead.errors import AlreadyExists, Conflict

Document = dict[str, Any]
_VERSIONS = ("v1",)
_GROUP = "admissionregistration.k8s.io"
VALIDATING = ResourceType(
    group=_GROUP,
    versions=_VERSIONS,
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    is_namespaced=False,
)
MUTATING = ResourceType(
    group=_GROUP,
    versions=_VERSIONS,
    kind="MutatingWebhookConfiguration",
    plural="mutatingwebhookconfigurations",
    is_namespaced=False,
)
MANAGER = "fairlead-webhooks"
"""Its own field manager, so that an upgrade of the installation does not take the authorities away again."""


@dataclass(frozen=True, slots=True)
class ClusterStore:
    """Implements `keeping.CertificateStore`. `secret` is namespace and name; `configuration` is the name that both
    configurations have."""

    api: Api
    secret: tuple[str, str]
    configuration: str

    async def read(self) -> Document | None:
        """The Secret."""
        return await self.api.get(SECRET, *self.secret)

    async def write(self, secret: Document) -> None:
        """Replace it, or create it."""
        if "resourceVersion" in secret["metadata"]:
            await self.api.update(SECRET, secret)
            return
        try:
            await self.api.create(SECRET, secret)
        except AlreadyExists as error:
            raise Conflict(str(error)) from error

    async def configurations(self) -> Sequence[Document]:
        """Those that are there: without webhooks in its values an installation has none."""
        found = [await self.api.get(kind, "", self.configuration) for kind in (VALIDATING, MUTATING)]
        return [one for one in found if one is not None]

    async def trust(self, configuration: Document, authorities: str) -> None:
        """Only the authorities, of the webhooks that are there."""
        kind = MUTATING if configuration["kind"] == MUTATING.kind else VALIDATING
        hooks = [
            {"name": hook["name"], "clientConfig": {"caBundle": authorities}} for hook in configuration["webhooks"]
        ]
        metadata = {"name": configuration["metadata"]["name"]}
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "webhooks": hooks}
        await self.api.apply(kind, body, manager=MANAGER)
