"""Operations on the audit log: what was done, by whom, and which operations there are."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from fairlead.errors import BadRequest
from fairlead.registry.accounts.activity import Activity, Told
from fairlead.registry.api import wire
from fairlead.registry.api.calls import Call, answer
from fairlead.registry.api.routing import LIST_QUERY, Handler, Operation, Parameter
from fairlead.registry.db.events import EventFilter
from fairlead.registry.values import ListQuery

_SUCCESS = ("success",)
_WORDS = "creator, resource_type, operation_name, status, started_at, ended_at, sort:created_at"


class Event(wire.Resource, kw_only=True):
    """`name` is that of the resource, which may be gone."""

    status: str
    operation_name: str
    api_token_name: str
    creator: wire.User | None
    resource: wire.Resource
    resource_deleted: bool
    info: dict[str, Any]


class EventList(wire.Listed, kw_only=True):
    items: list[Event]


def operations(activity: Activity) -> Sequence[Operation]:
    """Those over one audit log."""
    return [
        Operation(
            method="GET",
            path="/api/v1/events",
            handler=_listing(activity),
            name="listEvents",
            about=f"Lists what was done, the last first. Words of `q`: {_WORDS}.",
            tag="events",
            query=LIST_QUERY,
            gives=EventList,
        ),
        Operation(
            method="GET",
            path="/api/v1/event_operation_names",
            handler=_naming(activity),
            name="listEventOperationNames",
            about="Lists the operations that there are events of.",
            tag="events",
            query=(Parameter(name="resource_type", about="Operations on one type of resource alone."),),
            gives=list[str],
        ),
    ]


def _listing(activity: Activity) -> Handler:
    async def listed(call: Call) -> Response:
        query = call.list_query()
        page = await activity.events(
            call.caller,
            _filter(query),
            start=query.start,
            count=query.count,
            oldest_first=bool(query.sort) and not query.is_descending,
        )
        items = [_event(told) for told in page.items]
        return answer(EventList(start=page.start, count=page.count, total=page.total, items=items))

    return listed


def _naming(activity: Activity) -> Handler:
    async def named(call: Call) -> Response:
        return answer(await activity.operation_names(call.caller, call.query("resource_type")))

    return named


def _filter(query: ListQuery) -> EventFilter:
    given = query.filters
    return EventFilter(
        organization="",
        statuses=given.get("status", _SUCCESS),
        creators=given.get("creator", ()),
        resource_types=given.get("resource_type", ()),
        operation_names=given.get("operation_name", ()),
        search=" ".join(query.keywords),
        since=_day(given.get("started_at", ())),
        until=_day(given.get("ended_at", ()), is_end=True),
    )


def _day(given: Sequence[str], *, is_end: bool = False) -> float | None:
    """The beginning of a day, or the end of it. Raises BadRequest."""
    if not given:
        return None
    try:
        day = datetime.strptime(given[-1], "%Y-%m-%d").replace(tzinfo=UTC)
        return (day + timedelta(days=is_end)).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest(f"{given[-1][:40]!r} is no day; write it as 2026-01-31") from None


def _event(told: Told) -> Event:
    event = told.event
    fields: dict[str, Any] = {
        "created_at": wire.when(event.created_at),
        "updated_at": wire.when(event.created_at),
        "name": event.resource_name,
        "resource_type": event.resource_type,
        "labels": [],
    }
    return Event(
        uid=event.uid,
        **fields,
        status=event.status,
        operation_name=event.operation_name,
        api_token_name=event.api_token_name,
        creator=wire.user(told.creator) if told.creator else None,
        resource=wire.Resource(uid=event.resource, **fields),
        resource_deleted=told.is_gone,
        info=dict(told.info),
    )
