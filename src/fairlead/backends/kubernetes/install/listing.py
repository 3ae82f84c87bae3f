"""Every object of an installation, in the order in which a cluster takes them.

The same list is what `install` applies, what `install --dry-run` prints and what the chart's templates are written
from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.backends.kubernetes.install import (
    crds,
    gateway_objects,
    operator_objects,
    rbac,
    registry_objects,
    webhook_objects,
)
from fairlead.backends.kubernetes.install.installation import Installation
from fairlead.dialects.base import Dialect, Document

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """`definitions` stay when an installation goes, because users' objects would go with them. `seeds` are what the
    operator puts there itself when it starts; they are listed for whoever takes it out."""

    namespace: Json
    definitions: tuple[Json, ...]
    operator: tuple[Json, ...]
    seeds: tuple[Document, ...]

    def all(self) -> tuple[Json, ...]:
        """What is to be applied, in order."""
        return (self.namespace, *self.definitions, *self.operator)


def listing(installation: Installation, dialects: Sequence[Dialect], seeds: Sequence[Document]) -> Listing:
    """What an installation consists of. `seeds` are what the dialects want there from the start."""
    kinds = [kind for dialect in dialects for kind in dialect.kinds]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": installation.namespace}}
    return Listing(
        namespace=namespace,
        definitions=tuple(crds.definitions(dialects)) if installation.value("crd.create") else (),
        operator=(
            *operator_objects.account(installation),
            *rbac.objects(installation, kinds, seeds),
            *operator_objects.belongings(installation),
            *operator_objects.services(installation),
            *webhook_objects.certificate_objects(installation),
            operator_objects.deployment(installation),
            *operator_objects.budget(installation),
            *gateway_objects.objects(installation),
            *registry_objects.objects(installation),
            *webhook_objects.configurations(installation, kinds),
        ),
        seeds=tuple(seeds) if installation.value("runtimes.create") else (),
    )
