"""Reading the audit log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fairlead.registry.callers import Caller, User, Verb
from fairlead.registry.db import events, people
from fairlead.registry.db.engine import Database
from fairlead.registry.db.events import Event, EventFilter
from fairlead.registry.values import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event, and who it was as they are now; None when they are gone or it was nobody."""

    event: Event
    creator: User | None
    is_gone: bool = False
    """Whether what it was done to is not there any more."""

    @property
    def info(self) -> Mapping[str, Any]:
        found = json.loads(self.event.info)
        return found if isinstance(found, dict) else {}


class Activity:
    """The events of the caller's organization, newest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(
        self, caller: Caller, wanted: EventFilter, *, start: int = 0, count: int = 0, oldest_first: bool = False
    ) -> Page[Told]:
        """Those that the filter lets through. Whatever organization it names, it is the caller's."""
        caller.require(Verb.VIEW, "organization", caller.organization.name)
        own = replace(wanted, organization=caller.organization.uid)
        async with self._database.read() as connection:
            total, found = await events.list_events(
                connection, own, start=start, count=count, oldest_first=oldest_first
            )
            users = await people.names_of(connection, [event.creator for event in found])
            gone = await events.gone(connection, found)
        items = [Told(event=event, creator=users.get(event.creator), is_gone=event.uid in gone) for event in found]
        return Page(start=start, count=count, total=total, items=items)

    async def operation_names(self, caller: Caller, resource_type: str) -> list[str]:
        """What has been done to resources of a type."""
        caller.require(Verb.VIEW, "organization", caller.organization.name)
        async with self._database.read() as connection:
            return await events.operation_names(connection, caller.organization.uid, resource_type)
