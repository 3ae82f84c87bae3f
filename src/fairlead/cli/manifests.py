"""Documents from `-f`: parsed as Kubernetes parses them, with the file and line that every message names."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.cli import sources
from fairlead.dialects.document import Loaded, load
from fairlead.errors import FairleadError, InvalidManifest, NotFound, Problem, Where

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class Document:
    """One object somebody wrote."""

    loaded: Loaded

    @property
    def content(self) -> dict[str, Any]:
        return self.loaded.doc

    @property
    def api_version(self) -> str:
        return str(self.content["apiVersion"])

    @property
    def kind(self) -> str:
        return str(self.content["kind"])

    @property
    def _meta(self) -> dict[str, Any]:
        return dict(self.content.get("metadata") or {})

    @property
    def name(self) -> str:
        return str(self._meta.get("name") or "")

    @property
    def namespace(self) -> str:
        return str(self._meta.get("namespace") or "")

    @property
    def label(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def where(self) -> Where:
        return Where(file=self.loaded.file, line=self.loaded.line(""))

    def for_server(self) -> dict[str, Any]:
        """What to send: without what only a server writes, so that an object that was printed can be applied."""
        meta = {key: value for key, value in self._meta.items() if key not in _SERVER_FIELDS}
        annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key != _LAST_APPLIED}
        if "annotations" in meta:
            meta["annotations"] = annotations
        return {**{key: value for key, value in self.content.items() if key != "status"}, "metadata": meta}


_SERVER_FIELDS = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")


def read_documents(names: Sequence[str]) -> list[Document]:
    """Every document of every source. Raises `InvalidManifest` with the problems of all files together."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for source in sources.read_all(names):
        try:
            found = [Document(loaded) for loaded in load(source.text, source.name)]
        except InvalidManifest as error:
            problems += error.problems
            continue
        documents += found
        problems += [problem for document in found for problem in _identity(document)]
    if problems:
        raise InvalidManifest(problems)
    if not documents:
        raise NotFound(f"{', '.join(names)}: no manifest in there")
    return documents


def _identity(document: Document) -> Iterator[Problem]:
    """What every object must say before anything else can be asked of it."""
    content, loaded = document.content, document.loaded
    for key in ("apiVersion", "kind"):
        if not isinstance(content.get(key), str) or not content[key]:
            yield Problem(where=loaded.where(key), message=f"{key} is missing; a manifest says what it is")
    meta = content.get("metadata")
    if not isinstance(meta, dict):
        yield Problem(where=loaded.where("metadata"), message="metadata with a name is missing")
    elif not isinstance(meta.get("name"), str) or not meta["name"]:
        shown = f" ({json.dumps(meta['name'])} is no text)" if "name" in meta else ""
        yield Problem(where=loaded.where("metadata.name"), message=f"a name is missing{shown}")


def located(document: Document, problem: FairleadError) -> FairleadError:
    """The same refusal with the file and line it is about."""
    if isinstance(problem, InvalidManifest):
        lines = [
            Problem(where=document.loaded.where(each.where.path), message=each.message) for each in problem.problems
        ]
        return InvalidManifest(lines) if lines else InvalidManifest((), message=f"{document.where}: {problem}")
    return problem
