"""What a back-end promises: to make plans true in one place, and to say how far it has got."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fairlead.plan.model import Owner, Plan
from fairlead.plan.status import PlanStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretData:
    """A Secret's decoded values, and its annotations (legacy credentials keep their endpoint there)."""

    values: Mapping[str, bytes]
    annotations: Mapping[str, str]


class Lookup(Protocol):
    """The objects of a namespace that plans refer to. `None` means there is no such object."""

    async def secret(self, namespace: str, name: str) -> SecretData | None: ...
    async def config_map(self, namespace: str, name: str) -> Mapping[str, str] | None: ...
    async def service_account_secrets(self, namespace: str, name: str) -> tuple[str, ...] | None: ...
    async def claim_folder(self, namespace: str, name: str) -> Path | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something worth an Event on the owner."""

    owner: Owner
    reason: str
    message: str
    is_warning: bool = False


class Backend(Protocol):
    """Calls return when the wish is recorded; `observe` tells how it goes."""

    async def apply(self, plan: Plan) -> None: ...
    async def delete(self, owner: Owner) -> None: ...
    async def settle(self) -> None:
        """Every plan that exists has been applied: whatever else still runs belongs to nobody and is stopped."""
        ...

    async def refresh(self, namespace: str) -> None:
        """A Secret, ConfigMap, claim or ServiceAccount of the namespace has changed: try at once what waits for one."""
        ...

    def observe(self) -> AsyncIterator[PlanStatus | Notice]: ...
