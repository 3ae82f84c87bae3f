"""The whole API put together: every module's operations over one registry, and their description."""

from collections.abc import Sequence
from importlib.metadata import version as installed_version

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from fairlead.registry.accounts.service import Accounts
from fairlead.registry.api import (
    about,
    clusters,
    deployments,
    downloading,
    events,
    images,
    objects,
    openapi,
    repositories,
    uploading,
    versions,
)
from fairlead.registry.api.accounts import AccountsApi
from fairlead.registry.api.app import RegistryApp
from fairlead.registry.api.calls import Call
from fairlead.registry.api.deployment_pages import DeploymentPages
from fairlead.registry.api.pages import Pages
from fairlead.registry.api.routing import Handler, Operation
from fairlead.registry.api.sockets import Sockets
from fairlead.registry.service import Registry
from fairlead.registry.values import Kind

DESCRIPTION = "/openapi.json"


def build_app(
    registry: Registry, accounts: Accounts, *, more: Sequence[Operation] = (), routes: Sequence[BaseRoute] = ()
) -> RegistryApp:
    """The application over one registry; `more` and `routes` are those of whoever serves it."""
    operations = [
        *about.operations(),
        *AccountsApi(accounts).operations(),
        *events.operations(accounts.activity),
        *images.operations(),
        *(
            operation
            for kind in Kind
            for module in (repositories, versions, uploading, downloading)
            for operation in module.operations(kind)
        ),
        *clusters.operations(),
        *deployments.operations(),
        *more,
    ]
    described = openapi.describe(operations, installed_version("fairlead"))
    itself = Operation(
        method="GET",
        path=DESCRIPTION,
        handler=_giving(msgspec.json.encode(described)),
        name="getDescription",
        about="Describes this API.",
        tag="about",
        is_public=True,
    )
    pages = Pages(accounts, base_url=registry.config.public_url)
    beside = [
        *pages.routes(),
        *DeploymentPages(registry, accounts.authenticator, pages).routes(),
        *Sockets(registry, accounts.authenticator).routes(),
        *objects.routes(registry),
    ]
    return RegistryApp(registry, accounts.authenticator, [*operations, itself], [*beside, *routes])


def _giving(document: bytes) -> Handler:
    async def given(_call: Call) -> Response:
        return Response(document, media_type="application/json")

    return given
