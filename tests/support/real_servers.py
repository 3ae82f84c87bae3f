"""Real API servers that somebody has started, named by variables; `python -m tools.cluster` makes such ones."""

import os
from pathlib import Path
from typing import Any

from fairlead.cli.client import APPLY_PATCH, ApiError, Client
from fairlead.cli.kinds import Resource, find_for
from fairlead.cli.kubeconfig import read
from fairlead.cli.manifests import Document
from fairlead.dialects.document import Loaded

WHOLE, CURRENT = "FAIRLEAD_TEST_KUBECONFIG", "FAIRLEAD_TEST_KUBECONFIG_CURRENT"
"""A whole cluster, and a current server of custom resources alone."""


def missing(variable: str) -> str:
    """Why what needs this server cannot run; empty when it can."""
    return "" if os.environ.get(variable) else f"not run: {variable} names no server; python -m tools.cluster makes one"


class Server:
    """One of them. Nothing that is tried is kept."""

    def __init__(self, variable: str) -> None:
        self.client = Client(read(Path(os.environ[variable]), context=""))

    def resource(self, wanted: dict[str, Any]) -> Resource:
        """Where objects of its kind are. Raises `CommandFailed` when the server has no such kind."""
        return find_for(self.client, Document(Loaded(doc=wanted)))

    def try_out(self, wanted: dict[str, Any], *, is_strict: bool = False) -> dict[str, Any] | str:
        """What the server would make of an object, or the words that refuse it."""
        metadata = {**wanted["metadata"], "namespace": "default"}
        resource = self.resource(wanted)
        if not resource.is_namespaced:
            metadata.pop("namespace")
        query = {"fieldManager": "fairlead", "force": "true", "dryRun": "All"}
        query |= {"fieldValidation": "Strict"} if is_strict else {}
        path = resource.path("default", metadata["name"])
        body = {**wanted, "metadata": metadata}
        try:
            return dict(self.client.request("PATCH", path, query=query, body=body, content_type=APPLY_PATCH))
        except ApiError as problem:
            return str(problem)

    def keep(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Apply an object for good."""
        path = self.resource(wanted).path("", wanted["metadata"]["name"])
        query = {"fieldManager": "fairlead", "force": "true"}
        return dict(self.client.request("PATCH", path, query=query, body=wanted, content_type=APPLY_PATCH))
