"""The gateway's own pages: what is served (for people and for programs), health, metrics, and the way out of a 404."""

from collections.abc import Callable
from html import escape

import orjson

from fairlead.backends.local.gateway.finding import View
from fairlead.backends.local.gateway.metering import Key
from fairlead.backends.local.gateway.switchboard import Switchboard
from fairlead.plan.routing import Service
from fairlead.protocols.exchange import Head, Reply, Response
from fairlead.protocols.http1_response import JSON

Page = Callable[[Head, Reply], None]
_Made = Callable[[Head], Response]

_LISTED_PATHS = 20
_ABOUT = {"v1": "/v1/models", "v2": "/v2"}
"""What a service says of itself, by protocol."""
_HTML = b"Content-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
_VARY = b"Vary: Accept\r\n"
_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fairlead: what is served here</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.3rem; font-weight: 600; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .4rem .8rem .4rem 0; }}
td {{ border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); }}
code {{ font-size: .9em; }}
</style>
</head>
<body>
<h1>What is served here</h1>
{content}
<p>Programs get this page as JSON. · <a href="/-/metrics">Metrics</a></p>
</body>
</html>
"""
_TABLE = """<table>
<thead><tr><th>Name</th><th>Namespace</th><th>Kind</th><th>State</th>
<th>Ready replicas</th><th>Path or host</th><th>Docs</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>"""


class Pages:
    """Answers made from the switchboard, for one side; `metrics` answers with everybody's. `is_draining` makes the
    health check fail, so that nobody new comes."""

    def __init__(
        self,
        switchboard: Switchboard,
        view: View,
        metrics: Callable[[Reply], None],
        *,
        is_draining: Callable[[], bool],
    ) -> None:
        self._switchboard = switchboard
        self._view = view
        self._is_draining = is_draining
        self._pages: dict[str, Page] = {
            "/": _at_once(self._listing),
            "/-/healthy": _at_once(self._healthy),
            "/-/metrics": lambda _, reply: metrics(reply),
        }
        self.unknown = _at_once(self._unknown)

    def find(self, head: Head) -> Page | None:
        """The page at this path, if it is one of ours. Pages are read, so other methods look for a route; and the root
        of a service's own host is the service's."""
        if head.method not in ("GET", "HEAD"):
            return None
        if self._view.is_folder(head.path):
            return _into_folder
        page = self._pages.get(head.path)
        return None if page is not None and head.path == "/" and self._view.is_for_host(head) else page

    def _unknown(self, head: Head) -> Response:
        """No route takes it: say which there are."""
        paths = sorted({prefix for service in self._view.services if (prefix := self._view.path_of(service))})
        accepted = [f"{path}…" for path in paths[:_LISTED_PATHS]]
        body: dict[str, object] = {
            "error": f"nothing is served at {head.path}; GET / lists what is",
            "accepted": accepted,
        }
        if len(paths) > _LISTED_PATHS:
            body["more"] = len(paths) - _LISTED_PATHS
        return Response(404, JSON, orjson.dumps(body))

    def _listing(self, head: Head) -> Response:
        wants_html = any(name == b"accept" and b"text/html" in value for name, value in head.headers)
        listed = sorted(self._view.services, key=lambda service: (service.namespace, service.name, service.kind))
        services = [self._describe(service) for service in listed]
        if wants_html:
            links = [_link_of(service, self._view.path_of(service)) for service in listed]
            return Response(200, _HTML + _VARY, _page(services, links).encode())
        return Response(200, JSON + _VARY, orjson.dumps({"services": services}))

    def _describe(self, service: Service) -> dict[str, object]:
        return {
            "kind": service.kind,
            "namespace": service.namespace,
            "name": service.name,
            "state": service.state,
            "path": self._view.path_of(service),
            "host": self._view.host_of(service),
            "docs": service.docs_path,
            "components": [self._component(service, component) for component, _ in service.pools],
        }

    def _component(self, service: Service, component: str) -> dict[str, object]:
        load = self._switchboard.servings[Key(service.kind, service.namespace, service.name, component)].pool.load
        return {"name": component, "ready": load.ready, "inFlight": load.in_flight, "waiting": load.waiting}

    def _healthy(self, _: Head) -> Response:
        if self._is_draining():
            return Response(503, JSON, b'{"status":"draining"}')
        return Response(200, JSON, b'{"status":"ok"}')


def _at_once(page: _Made) -> Page:
    return lambda head, reply: reply(page(head))


def _into_folder(head: Head, reply: Reply) -> None:
    """To the same path with a slash: relative, so that it holds whatever a proxy before us has taken off."""
    query = b"?" + head.query if head.query else b""
    location = head.path.rpartition("/")[2].encode() + b"/" + query
    reply(Response(307, b"Location: " + location + b"\r\n", b""))


def _link_of(service: Service, path: str) -> tuple[str, str]:
    """Where a browser goes from here, and what that is called: to the documentation if the service has some, else to
    what its protocol has to say of its models."""
    if service.docs_path:
        return service.docs_path, "try it"
    protocol = next((pool.protocol for _, pool in service.pools), "")
    about = _ABOUT.get(protocol)
    return (path.rstrip("/") + about, "about it") if path and about else ("", "")


def _page(services: list[dict[str, object]], links: list[tuple[str, str]]) -> str:
    if not services:
        content = "<p>Nothing yet. <code>fairlead apply -f manifest.yaml</code> changes that.</p>"
    else:
        content = _TABLE.format(rows="\n".join(map(_row, services, links)))
    return _TEMPLATE.format(content=content)


def _row(service: dict[str, object], link: tuple[str, str]) -> str:
    components = service["components"]
    assert isinstance(components, list)
    ready = ", ".join(f"{item['name']} {item['ready']}" for item in components)
    where, words = link
    docs = f'<a href="{escape(where)}">{words}</a>' if where else ""
    host = f"<br>{escape(str(service['host']))}" if service["host"] else ""
    cells = [str(service[key]) for key in ("name", "namespace", "kind", "state")]
    text = "".join(f"<td>{escape(cell)}</td>" for cell in (*cells, ready))
    return f"<tr>{text}<td><code>{escape(str(service['path']))}{host}</code></td><td>{docs}</td></tr>"
