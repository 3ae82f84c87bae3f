"""`fairlead predict`: one request to a model, the way its own clients would send it."""

import http.client
import json
import os
import sys
import urllib.parse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.client import Client, Unreachable
from fairlead.cli.connection import Connection, Server
from fairlead.cli.exits import CommandFailed, UsageError
from fairlead.cli.kinds import find
from fairlead.cli.lookup import one, places_of
from fairlead.cli.questions import json_of, only_api, question_of
from fairlead.errors import NotFound

BENTO = "BentoDeployment"
SERVING = ("SeldonDeployment", "InferenceService", "InferenceGraph", "LLMInferenceService", BENTO)
"""The kinds that are asked."""
_TIMEOUT_S = 300.0


def predict(
    name: str,
    /,
    *,
    data: Annotated[str, Parameter(name=["--data", "-d"], allow_leading_hyphen=True)],
    explain: Annotated[bool, Parameter(negative="")] = False,
    path: str = "",
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    url: str = "",
    token: str = "",
    connection: Connection | None = None,
) -> int:
    """Send a request to a model and print the answer.

    Parameters
    ----------
    name
        What serves it: the name of a SeldonDeployment, InferenceService, InferenceGraph, LLMInferenceService or
        BentoDeployment, or KIND/NAME.
    data
        The request: JSON, @FILE, or - for standard input. Bare rows such as [[1,2,3,4]] are written as the protocol of
        the resource has them. A bento gets what is given.
    explain
        Ask for an explanation instead.
    path
        Which API of a bento is asked; needed only when it has several.
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
    document = _found(server, name, namespace)
    gateway = server.data_url(url)
    shown = token or os.environ.get("FAIRLEAD_PREDICT_TOKEN", "")
    ask = partial(exchange, token=shown, beside=server.client if server.knows(f"{gateway}/") else None)
    if document["kind"] == BENTO:
        where, body = _of_bento(document, text, gateway, ask, path=path, explains=explain)
    elif path:
        raise UsageError(f"--path: a {document['kind']} is asked in one way; only bentos have several")
    else:
        question = question_of(document, explains=explain)
        body = question.body(text)
        where = gateway + question.path_for(body)
    code, answer = ask(where, json.dumps(body))
    output.say(answer)
    if code >= 400:
        raise CommandFailed(f"the model answered {code} {http.client.responses.get(code, '')}".rstrip())
    return 0


def _of_bento(
    document: Mapping[str, Any],
    text: str,
    gateway: str,
    ask: Callable[..., tuple[int, str]],
    *,
    path: str,
    explains: bool,
) -> tuple[str, Any]:
    """Where a bento is asked, and what. Which API that is, its own description says if nobody does."""
    if explains:
        raise UsageError("a BentoDeployment is not asked for explanations")
    body = json_of(text)
    base = "{}/bento/{namespace}/{name}".format(gateway, **document["metadata"])
    if not path:
        code, described = ask(f"{base}/docs.json")
        if code != 200:
            raise CommandFailed(f"the bento does not say what APIs it has ({code}); --path says which is asked")
        path = only_api(described)
    return f"{base}/{path.lstrip('/')}", body


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


def exchange(url: str, body: str | None = None, *, token: str = "", beside: Client | None = None) -> tuple[int, str]:
    """The status and body of the answer to a POST of this JSON; without it, to a GET. Raises `Unreachable` when
    there is none. `beside` is a client of the same instance, whose certificate is then taken."""
    parts = urllib.parse.urlsplit(url)
    connection = _connection(parts, beside)
    try:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        content = None if body is None else body.encode()
        connection.request("GET" if content is None else "POST", parts.path, content, headers)
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
