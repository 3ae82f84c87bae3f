"""`fairlead predict`: one request to a model, the way its own clients would send it."""

import http.client
import json
import os
import sys
import urllib.parse
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.client import Client, Unreachable
from fairlead.cli.connection import Connection, Server
from fairlead.cli.exits import CommandFailed, UsageError
from fairlead.cli.kinds import find
from fairlead.cli.lookup import one, places_of
from fairlead.cli.questions import question_of
from fairlead.errors import NotFound

SERVING = ("SeldonDeployment", "InferenceService", "InferenceGraph", "LLMInferenceService")
"""The kinds that are asked."""
_TIMEOUT_S = 300.0


def predict(
    name: str,
    /,
    *,
    data: Annotated[str, Parameter(name=["--data", "-d"], allow_leading_hyphen=True)],
    explain: Annotated[bool, Parameter(negative="")] = False,
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    url: str = "",
    token: str = "",
    connection: Connection | None = None,
) -> int:
    """Send a request to a model and print the answer.

    Parameters
    ----------
    name
        What serves it: the name of a SeldonDeployment, InferenceService, InferenceGraph or LLMInferenceService, or
        KIND/NAME.
    data
        The request: JSON, @FILE, or - for standard input. Bare rows such as [[1,2,3,4]] are written as the protocol of
        the resource has them.
    explain
        Ask for an explanation instead.
    namespace
        Its namespace; needed only when several have one of that name.
    url
        Where predictions go, when it is not the instance on this machine (also $FAIRLEAD_URL).
    token
        What a deployment that asks for a token is shown (also $FAIRLEAD_PREDICT_TOKEN).
    """
    connection = connection or Connection()
    text = read_data(data)
    server = connection.open()
    question = question_of(_found(server, name, namespace), explains=explain)
    body = question.body(text)
    where = server.data_url(url) + question.path_for(body)
    shown = token or os.environ.get("FAIRLEAD_PREDICT_TOKEN", "")
    code, answer = post(where, body, token=shown, beside=server.client if server.knows(where) else None)
    output.say(answer)
    if code >= 400:
        raise CommandFailed(f"the model answered {code} {http.client.responses.get(code, '')}".rstrip())
    return 0


def _found(server: Server, name: str, namespace: str) -> dict[str, Any]:
    """The object that a name means, of whichever kind it is. Raises `NotFound` and `UsageError`."""
    kind, slash, bare = name.rpartition("/")
    kinds = [find(server.client, kind)] if slash else [find(server.client, known) for known in SERVING]
    if slash and kinds[0].kind not in SERVING:
        raise UsageError(f"{name}: a {kinds[0].kind} is not asked; these are: {', '.join(SERVING)}")
    found = [
        (resource, place)
        for resource in kinds
        for place in places_of(server, resource, bare)
        if not namespace or place == namespace
    ]
    own = [(resource, place) for resource, place in found if place == server.namespace]
    chosen = own if len(own) == 1 else found
    if len(chosen) == 1:
        return one(server, chosen[0][0], chosen[0][1], bare)
    if not found:
        where = f"in namespace {namespace}" if namespace else "in any namespace"
        kinds_named = " or ".join(resource.kind for resource in kinds)
        raise NotFound(f"no {kinds_named} named {bare!r} {where}; `fairlead get {kinds[0].plural} -A` lists them")
    listed = ", ".join(f"{resource.singular}/{bare} -n {place}" for resource, place in found)
    raise UsageError(f"several are named {bare!r}: say which: {listed}")


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


def post(url: str, body: dict[str, Any], *, token: str = "", beside: Client | None = None) -> tuple[int, str]:
    """The status and body of the answer. Raises `Unreachable` when there is none. `beside` is a client of the same
    instance, whose certificate is then taken."""
    parts = urllib.parse.urlsplit(url)
    connection = _connection(parts, beside)
    try:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        connection.request("POST", parts.path, json.dumps(body).encode(), headers)
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
