"""`fairlead predict`: one request to a model, the way its own clients would send it."""

import http.client
import json
import sys
import urllib.parse
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.client import Client, Unreachable
from fairlead.cli.connection import Connection
from fairlead.cli.exits import CommandFailed, UsageError
from fairlead.cli.lookup import namespace_of

_TIMEOUT_S = 300.0


def predict(
    name: str,
    /,
    *,
    data: Annotated[str, Parameter(name=["--data", "-d"], allow_leading_hyphen=True)],
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    url: str = "",
    connection: Connection | None = None,
) -> int:
    """Send a request to a model and print the answer.

    Parameters
    ----------
    name
        The SeldonDeployment.
    data
        The request: JSON, @FILE, or - for standard input. Bare rows such as [[1,2,3,4]] are put into
        {"data":{"ndarray":…}} for you.
    namespace
        Its namespace; needed only when several have one of that name.
    url
        Where predictions go, when it is not the instance on this machine (also $FAIRLEAD_URL).
    """
    connection = connection or Connection()
    body = request_body(read_data(data))
    server = connection.open()
    namespace = namespace or namespace_of(server, "SeldonDeployment", name)
    where = f"{server.data_url(url)}/seldon/{namespace}/{name}/api/v1.0/predictions"
    code, answer = post(where, body, beside=server.client if server.knows(where) else None)
    output.say(answer)
    if code >= 400:
        raise CommandFailed(f"the model answered {code} {http.client.responses.get(code, '')}".rstrip())
    return 0


def read_data(asked: str) -> str:
    """The text that `--data` means."""
    if asked == "-":
        return sys.stdin.read()
    if not asked.startswith("@"):
        return asked
    try:
        return Path(asked[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"--data {asked}: cannot be read: {problem}") from problem


def request_body(text: str) -> dict[str, Any]:
    """A request from what a person typed. A list of rows, or one row, is an ndarray; a JSON string is strData."""
    try:
        value = json.loads(text)
    except ValueError as problem:
        raise UsageError(f'--data is not JSON: {problem}; for example \'{{"data":{{"ndarray":[[1,2]]}}}}\'') from None
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"strData": value}
    if isinstance(value, list):
        rows = value if value and all(isinstance(row, list) for row in value) else [value]
        return {"data": {"ndarray": rows}}
    raise UsageError(f"--data: a request is a JSON object or rows of numbers, not {json.dumps(value)}")


def post(url: str, body: dict[str, Any], *, beside: Client | None = None) -> tuple[int, str]:
    """The status and body of the answer. Raises `Unreachable` when there is none. `beside` is a client of the same
    instance, whose certificate is then taken."""
    parts = urllib.parse.urlsplit(url)
    connection = _connection(parts, beside)
    try:
        connection.request("POST", parts.path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace").rstrip("\n")
    except (OSError, http.client.HTTPException) as problem:
        raise Unreachable(f"{parts.scheme}://{parts.netloc}: no answer: {problem}") from problem
    finally:
        connection.close()


def _connection(parts: urllib.parse.SplitResult, beside: Client | None) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)
    if beside is not None:
        return beside.connect_beside(host, parts.port, timeout_s=_TIMEOUT_S)
    return http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT_S)
