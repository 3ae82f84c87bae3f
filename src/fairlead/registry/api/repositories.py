"""Operations on repositories: make, look, change, remove, and the names that point at their versions."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from fairlead.registry.api import requests, showing, wire
from fairlead.registry.api.calls import Call, answer, nothing
from fairlead.registry.api.routing import FORCE, LIST_QUERY, Operation
from fairlead.registry.values import Alias, Kind

_SHAPES: dict[Kind, tuple[Any, Any]] = {
    Kind.MODEL: (wire.ModelRepository, wire.ModelRepositoryList),
    Kind.BENTO: (wire.BentoRepository, wire.BentoRepositoryList),
}


def operations(kind: Kind) -> Sequence[Operation]:
    """Those of one kind's repositories."""
    every = f"/api/v1/{kind}_repositories"
    one = f"{every}/{{repository}}"
    alias = f"{one}/aliases/{{alias}}"
    shape, listed = _SHAPES[kind]
    name = f"{kind.title()}Repository"
    tag = f"{kind} repositories"
    here = partial(Operation, tag=tag)
    return [
        here(
            method="GET",
            path=every,
            handler=partial(_list, kind),
            name=f"list{kind.title()}Repositories",
            about="Lists repositories, the last changed first.",
            query=LIST_QUERY,
            gives=listed,
        ),
        here(
            method="POST",
            path=every,
            handler=partial(_create, kind),
            name=f"create{name}",
            about="Makes a repository. When there is one of that name it is given.",
            takes=requests.CreateRepository,
            gives=shape,
        ),
        here(
            method="GET",
            path=one,
            handler=partial(_get, kind),
            name=f"get{name}",
            about="Shows a repository and the newest of its versions.",
            gives=shape,
        ),
        here(
            method="PATCH",
            path=one,
            handler=partial(_update, kind),
            name=f"update{name}",
            about="Changes what is given of a repository: description, labels, and its rules.",
            takes=requests.UpdateRepository,
            gives=shape,
        ),
        here(
            method="DELETE",
            path=one,
            handler=partial(_delete, kind),
            name=f"delete{name}",
            about="Removes a repository with all its versions, unless one is in use or immutable.",
            query=(FORCE,),
        ),
        here(
            method="GET",
            path=f"{one}/aliases",
            handler=partial(_aliases, kind),
            name=f"list{kind.title()}Aliases",
            about="Lists the names that point at versions of a repository.",
            gives=list[wire.Alias],
        ),
        here(
            method="PUT",
            path=alias,
            handler=partial(_put_alias, kind),
            name=f"put{kind.title()}Alias",
            about="Points a name at a version, wherever it pointed before.",
            takes=requests.PutAlias,
            gives=wire.Alias,
        ),
        here(
            method="DELETE",
            path=alias,
            handler=partial(_delete_alias, kind),
            name=f"delete{kind.title()}Alias",
            about="Takes a name away; the version that it pointed at stays.",
        ),
    ]


async def _list(kind: Kind, call: Call) -> Response:
    page = await call.registry.repositories.list(call.caller, kind, call.list_query())
    shown = await showing.repositories(call, page.items)
    return answer(showing.listed(page, shown))


async def _create(kind: Kind, call: Call) -> Response:
    asked = await call.body(requests.CreateRepository)
    made = await call.registry.repositories.create(
        call.caller, kind, asked.name, description=asked.description or "", labels=requests.labels(asked.labels)
    )
    return answer((await showing.repositories(call, [made]))[0])


async def _get(kind: Kind, call: Call) -> Response:
    found = await call.registry.repositories.get(call.caller, kind, call.path("repository"))
    return answer((await showing.repositories(call, [found]))[0])


async def _update(kind: Kind, call: Call) -> Response:
    asked = await call.body(requests.UpdateRepository)
    changed = await call.registry.repositories.update(
        call.caller,
        kind,
        call.path("repository"),
        description=asked.description,
        labels=requests.labels_if(asked.labels),
        rules=asked.rules.value() if asked.rules else None,
    )
    return answer((await showing.repositories(call, [changed]))[0])


async def _delete(kind: Kind, call: Call) -> Response:
    force = call.is_asked("force")
    await call.registry.repositories.delete(call.caller, kind, call.path("repository"), force=force)
    return nothing()


async def _aliases(kind: Kind, call: Call) -> Response:
    found = await call.registry.aliases.list(call.caller, kind, call.path("repository"))
    return answer([_alias(each) for each in found])


async def _put_alias(kind: Kind, call: Call) -> Response:
    asked = await call.body(requests.PutAlias)
    put = await call.registry.aliases.put(call.caller, kind, call.path("repository"), call.path("alias"), asked.version)
    return answer(_alias(put))


async def _delete_alias(kind: Kind, call: Call) -> Response:
    await call.registry.aliases.remove(call.caller, kind, call.path("repository"), call.path("alias"))
    return nothing()


def _alias(given: Alias) -> wire.Alias:
    return wire.Alias(name=given.name, version=given.version, updated_at=wire.when(given.updated_at))
