"""The certificate's Secret, the webhooks' configurations and the definitions of kinds with converted versions, in a
real cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.backends.kubernetes.install.installation import WEBHOOK_SERVICE
from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.resources import DEFINITION, SECRET, ResourceType
from fairlead.backends.kubernetes.webhooks.converting import PATH as CONVERT
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
    configurations have; `converted` are the names of definitions whose versions are converted."""

    api: Api
    secret: tuple[str, str]
    configuration: str
    converted: Sequence[str] = ()

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

    async def convert(self, authorities: str) -> bool:
        """Have definitions ask us for their other versions. One that asks another installation of ours is left to it:
        the answers are the same."""
        namespace, _ = self.secret
        is_settled = True
        for name in self.converted:
            found = await self.api.get(DEFINITION, "", name)
            if found is None:
                is_settled = False
                continue
            wanted = _conversion(namespace, authorities)
            if not _is_fine(found["spec"].get("conversion") or {}, wanted):
                metadata = {"name": name}
                body = {"apiVersion": DEFINITION.api_version, "kind": DEFINITION.kind, "metadata": metadata}
                await self.api.apply(DEFINITION, {**body, "spec": {"conversion": wanted}}, manager=MANAGER)
        return is_settled


def _conversion(namespace: str, authorities: str) -> Document:
    service = {"name": WEBHOOK_SERVICE, "namespace": namespace, "path": CONVERT, "port": 443}
    client = {"service": service, "caBundle": authorities}
    return {"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}}


def _is_fine(found: Document, wanted: Document) -> bool:
    if found == wanted:
        return True
    client = (found.get("webhook") or {}).get("clientConfig") or {}
    service, ours = client.get("service") or {}, wanted["webhook"]["clientConfig"]["service"]
    is_anothers = service.get("name") == ours["name"] and service.get("namespace") != ours["namespace"]
    # What no operator has written into is as it was installed.
    return bool(is_anothers and client.get("caBundle"))
