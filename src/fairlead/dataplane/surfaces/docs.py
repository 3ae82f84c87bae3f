"""The API page of a deployment: Swagger UI from files in this package, beside an OpenAPI description that a surface
makes for the one deployment and the one address it is read at. Nothing is read or built before somebody looks."""

from typing import Any
from urllib.parse import quote

from fairlead.protocols.exchange import Request, Response
from fairlead.runtimes.base import Columns

FOLDER, DESCRIPTION = "/docs", "/openapi.json"
"""Where protocols that name no place of their own have page and description, as KServe's servers do."""
_PAGE = "index.html"
_NAMED = "seldon.json"
_FILES = frozenset((_PAGE, "start.js", "swagger-ui.css", "swagger-ui-bundle.js"))
_NAMING = frozenset((_PAGE, "start.js"))
_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_USUAL = Columns(count=4)
_MOST_COLUMNS = 10_000


def page_file(name: str, description: str = _NAMED) -> Response | None:
    """One of the page's files; the page itself for an empty name. `description` is the file beside it that describes
    the API."""
    name = name or _PAGE
    if name not in _FILES:
        return None
    from importlib.resources import files  # 8 ms that a cold start need not pay

    kind = _KINDS[name.rpartition(".")[2]]
    age = "no-cache" if name == _PAGE else "max-age=3600"
    body = files("fairlead.dataplane").joinpath("static", "swagger", name).read_bytes()
    if name in _NAMING:
        body = body.replace(_NAMED.encode(), description.encode())
    return Response(200, f"Content-Type: {kind}; charset=utf-8\r\nCache-Control: {age}\r\n".encode(), body)


def paths_of(folder: str) -> list[str]:
    """Every path of a page in that folder."""
    return [folder, *(f"{folder}/{name}" for name in ("", *_FILES))]


def at(folder: str, request: Request, description: str) -> Response:
    """What is at one of those paths."""
    page = None if request.path == folder else page_file(request.path[len(folder) + 1 :], description)
    return to_folder(request) if page is None else page


def to_folder(request: Request) -> Response:
    """To the same path with a slash at its end, from where the page's links work."""
    where = prefix_of(request) + request.path + "/"
    return Response(301, b"Location: " + where.encode("latin-1") + b"\r\n", b"")


def prefix_of(request: Request) -> str:
    """The path in front of ours at the address the client used, as the gateway tells it. Only plain paths are
    taken, since the text goes back to a browser."""
    told = request.header(b"x-forwarded-prefix").decode("latin-1")
    prefix = "/" + told.strip("/") if told.strip("/") else ""
    return prefix if quote(prefix, safe="/-._~%") == prefix else ""


def example_request(inputs: Any, columns: Columns | None) -> dict[str, Any]:
    """A message with one row: as the metadata somebody wrote has it, else as the model itself does, else of four
    numbers."""
    row = _described(inputs) or columns or _USUAL
    if row.count > _MOST_COLUMNS:
        row = _USUAL
    kind = int if row.whole else float
    data: dict[str, Any] = {"ndarray": [[kind(column % 10) for column in range(1, row.count + 1)]]}
    return {"data": {"names": list(row.names), **data} if row.names else data}


def _described(inputs: Any) -> Columns | None:
    """The row of the first of a model's `inputs`, if it is one."""
    first = inputs[0] if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) else {}
    schema = first.get("schema")
    described = schema if isinstance(schema, dict) else first
    shape, names = described.get("shape"), described.get("names")
    if not isinstance(shape, list) or not shape or not isinstance(shape[-1], int):
        shape = [len(names)] if isinstance(names, list) and names else []
    width = shape[-1] if shape else 0
    if width <= 0 or len(shape) > 2:
        return None
    return Columns(count=width, names=tuple(names) if isinstance(names, list) and len(names) == width else ())
