"""The page of a deployment, at the address that BentoML's clients print when they have made one."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from fairlead.errors import Unauthorized
from fairlead.registry import listing
from fairlead.registry.api import wire
from fairlead.registry.api.listening import Listening
from fairlead.registry.api.pages import Pages
from fairlead.registry.callers import Authenticator
from fairlead.registry.service import Registry

_REVISIONS = 20


class DeploymentPages:
    """Over one registry; `pages` render."""

    def __init__(self, registry: Registry, authenticator: Authenticator, pages: Pages) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._pages = pages
        self._listening = Listening(registry)

    def routes(self) -> list[Route]:
        """What clients print."""
        return [Route("/deployments/{deployment}", self._pages.told(self.show), methods=["GET"])]

    async def show(self, request: Request) -> Response:
        """The deployment as it is now; who has not logged in does so first."""
        address = request.client.host if request.client else ""
        try:
            caller = await self._authenticator.identify(request.headers, request.cookies, {}, address)
        except Unauthorized:
            here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            return RedirectResponse(f"/login?redirect={quote(here, safe='')}", status_code=303)
        cluster, name = request.query_params.get("cluster", ""), request.path_params["deployment"]
        namespace = request.query_params.get("namespace") or None
        view = await self._registry.deployments.get(caller, cluster, namespace, name)
        _, page, _ = await self._registry.deployments.revisions(
            caller, view.cluster.name, view.row.namespace, name, listing.parse(count=_REVISIONS)
        )
        made = [
            {"made": wire.when(each.revision.created_at), "tag": each.asked.main.tag, "status": each.revision.status}
            for each in page.items
        ]
        tag = view.latest.asked.main.tag if view.latest is not None else ""
        pods = await self._listening.pods_now(view)
        return self._pages.page("deployment", name, view=view, tag=tag, pods=pods, revisions=made)
