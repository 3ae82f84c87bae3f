"""Operations on deployments, in both dialects: `/api/v1/clusters/…` of clients before 1.2 (and of Yatai's dashboard and
operators), and `/api/v2/deployments` of those since."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from fairlead.errors import BadRequest
from fairlead.registry import values
from fairlead.registry.api import deployments_shapes as shapes
from fairlead.registry.api import deployments_showing as showing
from fairlead.registry.api import showing as plain_showing
from fairlead.registry.api.calls import Call, answer
from fairlead.registry.api.routing import LIST_QUERY, Operation, Parameter
from fairlead.registry.deploying import bodies
from fairlead.registry.deploying.asked import Dialect, asked_v1, asked_v2
from fairlead.registry.deploying.json_schema import creation_schema
from fairlead.registry.deploying.service import Change, NewDeployment
from fairlead.registry.values import Kind

V1 = "/api/v1/clusters/{cluster}/deployments"
ONE_V1 = "/api/v1/clusters/{cluster}/namespaces/{namespace}/deployments/{deployment}"
V2 = "/api/v2/deployments"
ONE_V2 = f"{V2}/{{deployment}}"
_CLUSTER = Parameter(name="cluster", about="Name of the cluster; the first one when empty.")
_ALL = Parameter(name="all", about="`true` lists those of every cluster.")
_BODY = dict[str, Any]


def operations() -> Sequence[Operation]:
    """Those of both dialects."""
    return [*_v1(), *_v2()]


def _v1() -> Sequence[Operation]:
    here = partial(Operation, tag="deployments")
    one, full = shapes.Deployment, shapes.DeploymentList
    about = {
        "GET": "Shows a deployment.",
        "PATCH": "Changes what a deployment is asked to be.",
        "DELETE": "Forgets a deployment that is terminated.",
    }
    return [
        here(
            method="GET", path="/api/v1/deployments", handler=_list_all, name="listAllDeployments",
            about="Lists the deployments of all clusters.", query=LIST_QUERY, gives=full,
        ),
        here(
            method="GET", path=V1, handler=_list_v1, name="listDeployments",
            about="Lists a cluster's deployments.", query=LIST_QUERY, gives=full,
        ),
        here(
            method="POST", path=V1, handler=_create_v1, name="createDeployment",
            about="Makes a deployment of bentos.", takes=_BODY, gives=one,
        ),
        here(method="GET", path=ONE_V1, handler=_get_v1, name="getDeployment", about=about["GET"], gives=one),
        here(
            method="PATCH", path=ONE_V1, handler=_update_v1, name="updateDeployment", about=about["PATCH"],
            takes=_BODY, gives=one,
        ),
        here(
            method="DELETE", path=ONE_V1, handler=_delete_v1, name="deleteDeployment", about=about["DELETE"], gives=one
        ),
        here(
            method="POST", path=f"{ONE_V1}/terminate", handler=_terminate_v1, name="terminateDeployment",
            about="Stops a deployment.", gives=one,
        ),
        here(
            method="POST", path=f"{ONE_V1}/sync_status", handler=_get_v1, name="syncDeploymentStatus",
            about="Looks at a deployment again.", gives=one,
        ),
        here(
            method="GET", path=f"{ONE_V1}/revisions", handler=_revisions, name="listDeploymentRevisions",
            about="Lists what a deployment was asked to be, the newest first.", query=LIST_QUERY,
            gives=shapes.DeploymentRevisionList,
        ),
        here(
            method="GET", path=f"{ONE_V1}/revisions/{{revision}}", handler=_revision, name="getDeploymentRevision",
            about="Shows what a deployment was asked to be.", gives=shapes.DeploymentRevision,
        ),
        here(
            method="GET", path=f"{ONE_V1}/terminal_records", handler=_terminal_records, name="listTerminalRecords",
            about="Lists recorded shells: none, because none are given.", gives=shapes.TerminalRecordList,
        ),
        here(
            method="GET", path="/api/v1/deployment_creation_json_schema", handler=_schema,
            name="getDeploymentCreationSchema", about="The JSON schema (draft 4) of the body that makes a deployment.",
            gives=_BODY,
        ),
        *_of_versions(),
    ]  # fmt: skip


def _of_versions() -> Sequence[Operation]:
    """Deployments of a bento or model, or of any in a repository."""
    found = []
    for kind in Kind:
        for path, what in (("", "repository"), (f"/{kind}s/{{version}}", "version")):
            found.append(
                Operation(
                    method="GET",
                    path=f"/api/v1/{kind}_repositories/{{repository}}{path}/deployments",
                    handler=partial(_using, kind),
                    name=f"listDeploymentsOf{kind.title()}{what.title()}",
                    about=f"Lists the deployments that use a {kind} {what}.",
                    tag="deployments",
                    query=LIST_QUERY,
                    gives=shapes.DeploymentList,
                )
            )
    return found


def _v2() -> Sequence[Operation]:
    here = partial(Operation, tag="deployments", query=(_CLUSTER,))
    one = shapes.Deployment
    return [
        here(
            method="GET", path=V2, handler=_list_v2, name="listDeploymentsV2", about="Lists deployments.",
            query=(*LIST_QUERY, _CLUSTER, _ALL), gives=shapes.DeploymentList,
        ),
        here(
            method="POST", path=V2, handler=_create_v2, name="createDeploymentV2", about="Makes a deployment.",
            takes=_BODY, gives=one,
        ),
        here(
            method="GET", path=ONE_V2, handler=_get_v2, name="getDeploymentV2", about="Shows a deployment.", gives=one
        ),
        here(
            method="PUT", path=ONE_V2, handler=_update_v2, name="updateDeploymentV2",
            about="Changes what a deployment is asked to be.", takes=_BODY, gives=one,
        ),
        here(
            method="DELETE", path=ONE_V2, handler=_delete_v2, name="deleteDeploymentV2",
            about="Forgets a deployment that is terminated.", gives=one,
        ),
        here(
            method="PUT", path=f"{ONE_V2}/void_update", handler=_repeat_v2, name="repeatDeploymentV2",
            about="Deploys what was asked for last once more.", gives=one,
        ),
        here(
            method="POST", path=f"{ONE_V2}/terminate", handler=_terminate_v2, name="terminateDeploymentV2",
            about="Stops a deployment.", gives=one,
        ),
        *(
            here(
                method=method, path=f"{ONE_V2}/files", handler=_no_files, name=f"{verb}DeploymentFiles",
                about="Files of a codespace, which are not run here.", takes=_BODY if method != "GET" else None,
            )
            for method, verb in (("GET", "list"), ("POST", "upload"), ("DELETE", "delete"))
        ),
    ]  # fmt: skip


# Clients before 1.2


async def _list_all(call: Call) -> Response:
    found = await call.registry.deployments.list(call.caller, call.list_query())
    return await showing.page(call, Dialect.V1, found)


async def _list_v1(call: Call) -> Response:
    found = await call.registry.deployments.list(call.caller, call.list_query(), cluster_name=call.path("cluster"))
    return await showing.page(call, Dialect.V1, found)


async def _create_v1(call: Call) -> Response:
    body = await call.body(_BODY)
    asked = asked_v1(body)
    if asked is None:
        raise BadRequest("targets: there must be one")
    given = bodies.read(bodies.CreateV1, body)
    new = NewDeployment(
        asked=asked,
        name=given.name,
        namespace=given.kube_namespace or "",
        description=given.description or "",
        labels=_labels(given.labels) or (),
        is_noted=bool(given.do_not_deploy),
    )
    view = await call.registry.deployments.create(call.caller, call.path("cluster"), new)
    return await showing.one(call, Dialect.V1, view)


async def _get_v1(call: Call) -> Response:
    return await showing.one(call, Dialect.V1, await call.registry.deployments.get(call.caller, *_place(call)))


async def _update_v1(call: Call) -> Response:
    body = await call.body(_BODY)
    given = bodies.read(bodies.UpdateV1, body)
    change = Change(
        asked=asked_v1(body, bodies.UpdateV1),
        description=given.description,
        labels=_labels(given.labels),
        is_noted=bool(given.do_not_deploy),
    )
    view = await call.registry.deployments.update(call.caller, *_place(call), change)
    return await showing.one(call, Dialect.V1, view)


async def _delete_v1(call: Call) -> Response:
    return await showing.one(call, Dialect.V1, await call.registry.deployments.delete(call.caller, *_place(call)))


async def _terminate_v1(call: Call) -> Response:
    return await showing.one(call, Dialect.V1, await call.registry.deployments.terminate(call.caller, *_place(call)))


async def _revisions(call: Call) -> Response:
    cluster, namespace, name = _place(call)
    view, page, users = await call.registry.deployments.revisions(
        call.caller, cluster, namespace, name, call.list_query()
    )
    shown = await showing.revisions(call, Dialect.V1, view, page.items, users)
    return answer(plain_showing.listed(page, shown))


async def _revision(call: Call) -> Response:
    cluster, namespace, name = _place(call)
    view, found, users = await call.registry.deployments.revision(
        call.caller, cluster, namespace, name, call.path("revision")
    )
    return answer((await showing.revisions(call, Dialect.V1, view, [found], users))[0])


async def _terminal_records(call: Call) -> Response:
    await call.registry.deployments.get(call.caller, *_place(call))
    return answer(shapes.TerminalRecordList(start=0, count=0, total=0, items=[]))


async def _schema(_call: Call) -> Response:
    return answer(creation_schema())


async def _using(kind: Kind, call: Call) -> Response:
    """Those whose active revision names it, or a bento that does."""
    repository, version = call.path("repository"), call.request.path_params.get("version", "")
    await call.registry.repositories.get(call.caller, kind, repository)
    used = await call.registry.deployments.deployed(call.caller.organization.uid)
    names = {
        name
        for (its_kind, its_repository, its_version), some in used.items()
        if (its_kind, its_repository) == (kind, repository) and version in ("", its_version)
        for name in some
    }
    found = await call.registry.deployments.list(call.caller, call.list_query(), only=names)
    return await showing.page(call, Dialect.V1, found)


def _place(call: Call) -> tuple[str, str, str]:
    return call.path("cluster"), call.path("namespace"), call.path("deployment")


# Clients since 1.2


async def _list_v2(call: Call) -> Response:
    cluster = None if call.is_asked("all") else call.query("cluster")
    found = await call.registry.deployments.list(call.caller, call.list_query(), cluster_name=cluster)
    return await showing.page(call, Dialect.V2, found)


async def _create_v2(call: Call) -> Response:
    body = await call.body(_BODY)
    given = bodies.read(bodies.CreateV2, body)
    _refuse_codespaces(given)
    new = NewDeployment(asked=asked_v2(body), name=given.name or "", labels=_labels(given.labels) or ())
    view = await call.registry.deployments.create(call.caller, call.query("cluster"), new)
    return await showing.one(call, Dialect.V2, view)


async def _get_v2(call: Call) -> Response:
    return await showing.one(call, Dialect.V2, await call.registry.deployments.get(call.caller, *_named(call)))


async def _update_v2(call: Call) -> Response:
    body = await call.body(_BODY)
    given = bodies.read(bodies.UpdateV2, body)
    _refuse_codespaces(given)
    change = Change(asked=asked_v2(body), labels=_labels(given.labels))
    view = await call.registry.deployments.update(call.caller, *_named(call), change)
    return await showing.one(call, Dialect.V2, view)


async def _delete_v2(call: Call) -> Response:
    return await showing.one(call, Dialect.V2, await call.registry.deployments.delete(call.caller, *_named(call)))


async def _repeat_v2(call: Call) -> Response:
    return await showing.one(call, Dialect.V2, await call.registry.deployments.repeat(call.caller, *_named(call)))


async def _terminate_v2(call: Call) -> Response:
    return await showing.one(call, Dialect.V2, await call.registry.deployments.terminate(call.caller, *_named(call)))


async def _no_files(call: Call) -> Response:
    await call.registry.deployments.get(call.caller, *_named(call))
    raise BadRequest(_NO_CODESPACES)


_NO_CODESPACES = "codespaces (bentoml code) are not run here; push the bento and deploy it with bentoml deploy"


def _refuse_codespaces(given: bodies.UpdateV2) -> None:
    if given.dev:
        raise BadRequest(_NO_CODESPACES)


def _named(call: Call) -> tuple[str, None, str]:
    return call.query("cluster"), None, call.path("deployment")


def _labels(given: Sequence[bodies.Label] | None) -> list[values.Label] | None:
    return None if given is None else [values.Label(label.key, label.value) for label in given]
