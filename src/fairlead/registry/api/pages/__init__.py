"""The few pages that accounts cannot do without: logging in, the set-up, and letting a terminal in.

Plain forms, rendered here, that work without any script. They load nothing from anywhere and may not be framed.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from fairlead.errors import BadRequest, FairleadError, Forbidden, Unauthorized
from fairlead.registry.accounts import oidc
from fairlead.registry.accounts.entering import Entered
from fairlead.registry.accounts.foreign import is_from_foreign_page
from fairlead.registry.accounts.passwords import SHORTEST
from fairlead.registry.accounts.people import NewUser
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.accounts.sessions import COOKIE
from fairlead.registry.api.accounts import logged_in, own_path

if TYPE_CHECKING:
    from jinja2 import Environment

_LONGEST_FORM = 64 * 1024
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
_SETUP_FIELDS = ("token", "name", "first_name", "last_name", "email")
Handler = Callable[[Request], Awaitable[Response]]


class Pages:
    """Handlers over one installation's accounts. `base_url` is where people reach us, if that is not what their
    requests say."""

    def __init__(self, accounts: Accounts, *, base_url: str = "") -> None:
        self._accounts = accounts
        self._base_url = base_url.rstrip("/")

    @cached_property
    def _templates(self) -> "Environment":
        from jinja2 import Environment, PackageLoader, select_autoescape

        return Environment(
            loader=PackageLoader("fairlead.registry.api", "pages"), autoescape=select_autoescape(default=True)
        )

    def routes(self) -> list[Route]:
        """Paths of people, outside of `/api`."""
        return [
            Route("/login", self.told(self.log_in), methods=["GET", "POST"]),
            Route("/logout", self.told(self.log_out), methods=["GET", "POST"]),
            Route("/setup", self.told(self.set_up), methods=["GET", "POST"]),
            Route("/api_tokens", self.told(self.approve), methods=["GET", "POST"]),
            Route("/auth/oidc/login", self.told(self.begin), methods=["GET"]),
            Route("/auth/oidc/callback", self.told(self.finish), methods=["GET"]),
        ]

    async def log_in(self, request: Request) -> Response:
        then = own_path(request.query_params.get("redirect", ""))
        values: dict[str, Any] = {"providers": self._accounts.open_id.providers, "then": then, "name": ""}
        if request.method == "GET":
            return self.page("login", "Log in", **values)
        form = await _form(request)
        name = form.get("name_or_email", "")
        try:
            entered = await self._accounts.entrance.log_in(name, form.get("password", ""), _address(request))
        except FairleadError as error:
            return self.page("login", "Log in", status=error.http, refused=str(error), **{**values, "name": name})
        return _entered(entered, then, request)

    async def log_out(self, request: Request) -> Response:
        if secret := request.cookies.get(COOKIE):
            await self._accounts.sessions.end(secret)
        response = RedirectResponse("/login", status_code=302)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response

    async def set_up(self, request: Request) -> Response:
        form = dict.fromkeys(_SETUP_FIELDS, "")
        if request.method == "GET":
            form["token"] = request.query_params.get("token", "")
            return self.page("setup", "Set up Fairlead", form=form, shortest=SHORTEST)
        form |= await _form(request)
        new = NewUser(
            name=form["name"], email=form["email"], password=form.get("password", ""), first_name=form["first_name"],
            last_name=form["last_name"],
        )  # fmt: skip
        try:
            entered = await self._accounts.entrance.set_up(form["token"], new, _address(request))
        except FairleadError as error:
            return self.page(
                "setup", "Set up Fairlead", status=error.http, refused=str(error), form=form, shortest=SHORTEST
            )
        return _entered(entered, "/", request)

    async def approve(self, request: Request) -> Response:
        """Where `bentoml cloud login` sends people's browsers."""
        values = await _form(request) if request.method == "POST" else request.query_params
        code = values.get("code", "")
        try:
            caller = await self._accounts.authenticator.identify(
                {key: value for key, value in request.headers.items() if key != "authorization"},
                request.cookies, {}, _address(request),
            )  # fmt: skip
        except Unauthorized:
            back = urlencode({"redirect": f"/api_tokens?{urlencode({'code': code})}"})
            return RedirectResponse(f"/login?{back}", status_code=303)
        if request.method == "POST":
            await self._accounts.codes.approve(caller, code)
        title = "A terminal is logged in" if request.method == "POST" else "Let a terminal log in?"
        return self.page("approve", title, user=caller.user.name, code=code, is_done=request.method == "POST")

    async def begin(self, request: Request) -> Response:
        """To the provider of identities."""
        begun = await self._accounts.open_id.begin(
            request.query_params.get("provider", ""),
            redirect_uri=self._callback(request),
            then=own_path(request.query_params.get("redirect", "")),
        )
        response = RedirectResponse(begun.url, status_code=303, headers={"cache-control": "no-store"})
        response.set_cookie(
            oidc.COOKIE, begun.cookie, max_age=int(oidc.STATE_S), httponly=True, samesite="lax",
            secure=request.url.scheme == "https", path="/auth/oidc",
        )  # fmt: skip
        return response

    async def finish(self, request: Request) -> Response:
        """Back from it."""
        cookie = request.cookies.get(oidc.COOKIE, "")
        entered, then = await self._accounts.open_id.finish(cookie, request.query_params, _address(request))
        response = _entered(entered, then, request)
        response.delete_cookie(oidc.COOKIE, httponly=True, samesite="lax", path="/auth/oidc")
        return response

    def _callback(self, request: Request) -> str:
        return f"{self._base_url or str(request.base_url).rstrip('/')}/auth/oidc/callback"

    def told(self, handler: Handler) -> Handler:
        """Refusals as a page, and no form of another site."""

        async def answered(request: Request) -> Response:
            try:
                if is_from_foreign_page(request.headers, request.method):
                    raise Forbidden("requests from pages of other sites are not allowed")
                return await handler(request)
            except FairleadError as error:
                return self.page("message", "Not done", status=error.http, refused=str(error))

        return answered

    def page(self, template: str, title: str, *, status: int = 200, **values: Any) -> Response:
        text = self._templates.get_template(f"{template}.html").render(title=title, **values)
        return HTMLResponse(text, status_code=status, headers=_HEADERS)


async def _form(request: Request) -> Mapping[str, str]:
    """An urlencoded form; the last of several values of one name counts."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise BadRequest("the form is too long")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except (UnicodeDecodeError, ValueError):
        raise BadRequest("the form cannot be read") from None


def _entered(entered: Entered, then: str, request: Request) -> Response:
    return logged_in(RedirectResponse(then, status_code=303), entered, request)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
