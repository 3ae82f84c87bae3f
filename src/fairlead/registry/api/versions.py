"""Operations on models and bentos themselves: announce, look, change, remove, list. Bytes are `uploading`'s."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from starlette.responses import Response

from fairlead.registry.api import requests, showing, wire
from fairlead.registry.api.calls import Call, answer, nothing
from fairlead.registry.api.routing import FORCE, LIST_QUERY, Operation
from fairlead.registry.values import Kind, NewVersion, Page, Version


class Shapes(NamedTuple):
    """How a kind's versions are answered: alone and in lists, without their repository and with it."""

    plain: Any
    listed: Any
    whole: Any
    whole_listed: Any


SHAPES = {
    Kind.MODEL: Shapes(wire.Model, wire.ModelList, wire.ModelWithRepository, wire.ModelWithRepositoryList),
    Kind.BENTO: Shapes(wire.Bento, wire.BentoList, wire.BentoWithRepository, wire.BentoWithRepositoryList),
}


def place(kind: Kind) -> str:
    """The path of one version."""
    return f"/api/v1/{kind}_repositories/{{repository}}/{kind}s/{{version}}"


def operations(kind: Kind) -> Sequence[Operation]:
    """Those of one kind's versions."""
    shape, listed, whole, whole_list = SHAPES[kind]
    one = place(kind)
    many = one.removesuffix("/{version}")
    name = kind.title()
    here = partial(Operation, tag=f"{kind}s")
    return [
        here(
            method="GET",
            path=f"/api/v1/{kind}s",
            handler=partial(_list_all, kind),
            name=f"listAll{name}s",
            about=f"Lists the organization's {kind}s with their repositories, the newest first.",
            query=LIST_QUERY,
            gives=whole_list,
        ),
        here(
            method="GET",
            path=many,
            handler=partial(_list, kind),
            name=f"list{name}s",
            about=f"Lists a repository's {kind}s, the newest first.",
            query=LIST_QUERY,
            gives=listed,
        ),
        here(
            method="POST",
            path=many,
            handler=partial(_create, kind),
            name=f"create{name}",
            about=f"Announces a {kind} whose bytes come next.",
            takes=requests.CreateVersion,
            gives=shape,
        ),
        here(
            method="GET",
            path=one,
            handler=partial(_get, kind),
            name=f"get{name}",
            about=f"Shows a {kind}, by its version, an alias, or `latest`.",
            gives=whole,
        ),
        here(
            method="PATCH",
            path=one,
            handler=partial(_update, kind),
            name=f"update{name}",
            about=f"Changes what is given of a {kind}.",
            takes=requests.UpdateVersion,
            gives=shape,
        ),
        here(
            method="DELETE",
            path=one,
            handler=partial(_delete, kind),
            name=f"delete{name}",
            about=f"Removes a {kind}, unless it is in use or immutable.",
            query=(FORCE,),
        ),
        *_links(kind),
    ]


def _links(kind: Kind) -> Sequence[Operation]:
    if kind is Kind.BENTO:
        return [
            Operation(
                method="GET",
                path=f"{place(kind)}/models",
                handler=_models,
                name="listModelsOfBento",
                about="Lists the models that a bento names and that are here.",
                tag="bentos",
                gives=wire.ModelWithRepositoryList,
            )
        ]
    return [
        Operation(
            method="GET",
            path=path,
            handler=_bentos,
            name=name,
            about=about,
            tag="models",
            gives=wire.BentoWithRepositoryList,
        )
        for path, name, about in (
            (f"{place(kind)}/bentos", "listBentosOfModel", "Lists the bentos that name a model."),
            (
                "/api/v1/model_repositories/{repository}/bentos",
                "listBentosOfModelRepository",
                "Lists the bentos that name any model of a repository.",
            ),
        )
    ]


async def named(call: Call, kind: Kind) -> Version:
    """The version that the address names."""
    return await call.registry.versions.get(call.caller, kind, call.path("repository"), call.path("version"))


async def _list_all(kind: Kind, call: Call) -> Response:
    page = await call.registry.versions.list(call.caller, kind, call.list_query())
    return answer(showing.listed(page, await showing.versions(call, page.items, has_repository=True)))


async def _list(kind: Kind, call: Call) -> Response:
    page = await call.registry.versions.list(call.caller, kind, call.list_query(), repository=call.path("repository"))
    return answer(showing.listed(page, await showing.versions(call, page.items)))


async def _create(kind: Kind, call: Call) -> Response:
    asked = await call.body(requests.CreateVersion)
    made = await call.registry.versions.create(
        call.caller,
        kind,
        call.path("repository"),
        NewVersion(
            version=asked.version,
            build_at=requests.build_time(asked.build_at, call.registry.clock()),
            description=asked.description or "",
            manifest=requests.manifest_if(asked.manifest) or "null",
            labels=requests.labels(asked.labels),
        ),
    )
    return answer(await showing.version(call, made))


async def _get(kind: Kind, call: Call) -> Response:
    found = await named(call, kind)
    (shown,) = await showing.versions(call, [found], has_repository=True)
    shown.used_by = await showing.used_by(call, found)
    return answer(shown)


async def _update(kind: Kind, call: Call) -> Response:
    asked = await call.body(requests.UpdateVersion)
    changed = await call.registry.versions.update(
        call.caller,
        kind,
        call.path("repository"),
        call.path("version"),
        description=asked.description,
        manifest=requests.manifest_if(asked.manifest),
        labels=requests.labels_if(asked.labels),
        is_immutable=asked.is_immutable,
    )
    return answer(await showing.version(call, changed))


async def _delete(kind: Kind, call: Call) -> Response:
    force = call.is_asked("force")
    await call.registry.versions.delete(call.caller, kind, call.path("repository"), call.path("version"), force=force)
    return nothing()


async def _models(call: Call) -> Response:
    bento = await named(call, Kind.BENTO)
    return await _all_of(call, await call.registry.versions.models_of(bento))


async def _bentos(call: Call) -> Response:
    repository, version = call.path("repository"), call.request.path_params.get("version", "")
    if version:
        version = (await named(call, Kind.MODEL)).version
    else:
        await call.registry.repositories.get(call.caller, Kind.MODEL, repository)
    return await _all_of(call, await call.registry.versions.bentos_with(call.caller, repository, version))


async def _all_of(call: Call, found: Sequence[Version]) -> Response:
    page = Page(start=0, count=len(found), total=len(found), items=found)
    return answer(showing.listed(page, await showing.versions(call, found, has_repository=True)))
