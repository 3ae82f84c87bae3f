"""A store in a temporary folder with a clock that tests turn, and small objects to put into it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fairlead.control.store import Store


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **parts: float) -> None:
        self.now += timedelta(**parts)


@asynccontextmanager
async def opened_store(home: Path, clock: Clock | None = None) -> AsyncIterator[Store]:
    """Open, and close at the end."""
    store = await Store.open(home / "state.db", clock=clock or Clock())
    try:
        yield store
    finally:
        await store.close()


def config_map(name: str, namespace: str = "default", **metadata: Any) -> dict[str, Any]:
    """The smallest useful object."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "data": {"key": "value"},
    }


def namespace(name: str) -> dict[str, Any]:
    """A namespace as a client would send it."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def owner_of(document: dict[str, Any]) -> dict[str, Any]:
    """A reference to an owner."""
    metadata = document["metadata"]
    return {
        "apiVersion": document["apiVersion"],
        "kind": document["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
