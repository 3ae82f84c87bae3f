"""The webhooks beside an operator: server, certificate and rules together. Every replica serves them, whoever leads."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fairlead.backends.kubernetes.install.crds import definition_name
from fairlead.backends.kubernetes.install.installation import CERTIFICATE_SECRET, cluster_name_in, webhook_hosts
from fairlead.backends.kubernetes.operator import Followed, Operator
from fairlead.backends.kubernetes.render import rendered
from fairlead.backends.kubernetes.webhooks.converting import converted_kinds
from fairlead.backends.kubernetes.webhooks.keeping import CertificateKeeper
from fairlead.backends.kubernetes.webhooks.reviewing import Reviewer
from fairlead.backends.kubernetes.webhooks.server import WebhookServer
from fairlead.backends.kubernetes.webhooks.store import ClusterStore
from fairlead.dialects.base import Document
from fairlead.dialects.catalog import Catalog
from fairlead.errors import FairleadError


@dataclass(slots=True, kw_only=True)
class Webhooks:
    """A companion of an operator, for the kinds that it follows. A `port` of 0 is a free one, which `port` tells
    after the start."""

    catalog: Catalog
    host: str
    port: int
    _keeper: CertificateKeeper | None = field(default=None, init=False)

    async def __call__(self, operator: Operator) -> None:
        """Serve until cancelled."""
        settings = operator.options.settings
        secret = (settings.namespace, CERTIFICATE_SECRET)
        async with WebhookServer(self._reviewer(operator), host=self.host, port=self.port) as server:
            self.port = server.port
            self._keeper = CertificateKeeper(
                store=ClusterStore(operator.api, secret, cluster_name_in(settings.namespace), _converted(operator)),
                names=webhook_hosts(settings),
                secret=secret,
                show=server.present,
                clock=lambda: datetime.now(UTC),
                is_ours=not settings.value("certManager.enabled", False),
            )
            await self._keeper.run(asyncio.sleep)

    def is_serving(self) -> bool:
        """Whether an API server that asks is answered."""
        return self._keeper is not None and self._keeper.is_serving

    def _reviewer(self, operator: Operator) -> Reviewer:
        by_kind = {(one.kind.group, one.kind.kind): one for one in operator.followed.values()}

        def warnings(doc: Document) -> tuple[str, ...]:
            return _warnings(doc, by_kind, operator, self.catalog)

        dialects = {id(one.dialect): one.dialect for one in by_kind.values()}
        return Reviewer(dialects=tuple(dialects.values()), catalog=self.catalog, world=operator.world, warn=warnings)


def _converted(operator: Operator) -> list[str]:
    return [definition_name(kind) for kind in converted_kinds(one.kind for one in operator.followed.values())]


def _warnings(
    doc: Document, by_kind: Mapping[tuple[str, str], Followed], operator: Operator, catalog: Catalog
) -> tuple[str, ...]:
    """What of an accepted object means nothing in this cluster. What cannot be laid out yet (a runtime is still to
    come) is for the status to tell."""
    followed = by_kind[str(doc["apiVersion"]).rpartition("/")[0], str(doc["kind"])]
    if not followed.kind.is_planned:
        return ()
    settings = operator.settings
    try:
        layout = followed.dialect.lay_out(doc, settings=settings, catalog=catalog, world=operator.world())
        return rendered(layout, settings).warnings
    except FairleadError:
        return ()
