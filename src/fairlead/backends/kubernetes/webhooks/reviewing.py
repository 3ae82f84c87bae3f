"""What the webhooks answer: an AdmissionReview to an AdmissionReview, by the rules of the dialects (and a
ConversionReview to a ConversionReview, which `converting.py` does).

Pure but for the world it looks at. Nothing is remembered and nothing is changed by an answer, so a dry run is a run
like any other. A review that cannot be read is the mistake of who asks (`BadRequest`); an object that cannot be
accepted is an answer; an exception of ours is neither, and the API server does with it what `failurePolicy` says.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.backends.kubernetes.webhooks.converting import PATH as CONVERT
from fairlead.backends.kubernetes.webhooks.converting import Converter, converted_kinds
from fairlead.backends.kubernetes.webhooks.endpoints import Endpoint, endpoints_of
from fairlead.backends.kubernetes.webhooks.json_patch import difference
from fairlead.dialects.base import Dialect, Document, World
from fairlead.dialects.catalog import Catalog
from fairlead.errors import BadRequest, FairleadError, InvalidManifest, NotFound, Problem

API_VERSION, KIND = "admission.k8s.io/v1", "AdmissionReview"
# An API server cuts a warning at 256 characters and drops what goes beyond 4096 in all.
_WARNING_LENGTH = 256

Warn = Callable[[Document], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """Answers for the kinds of some dialects. `world` is what is stored now; `warn` names what of an accepted object
    means nothing here."""

    dialects: tuple[Dialect, ...]
    catalog: Catalog
    world: Callable[[], World]
    warn: Warn = lambda _doc: ()
    _by_path: dict[str, tuple[Endpoint, Dialect]] = field(init=False, default_factory=dict)
    _converter: Converter | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        kinds = converted_kinds(kind for dialect in self.dialects for kind in dialect.kinds)
        if kinds:
            object.__setattr__(self, "_converter", Converter(kinds=kinds, world=self.world))
        for dialect in self.dialects:
            self._by_path.update({endpoint.path: (endpoint, dialect) for endpoint in endpoints_of(dialect.kinds)})

    def paths(self) -> list[str]:
        """Every path that is answered."""
        return [*self._by_path, *((CONVERT,) if self._converter is not None else ())]

    def answer(self, path: str, review: Any) -> dict[str, Any]:
        """The answer to a review. Raises `NotFound` and `BadRequest`."""
        if path == CONVERT and self._converter is not None:
            return self._converter.answer(review)
        if path not in self._by_path:
            raise NotFound(f"no webhook at {path}; there are {', '.join(self.paths())}")
        endpoint, dialect = self._by_path[path]
        request = _request_of(review)
        try:
            decided = self._decide(endpoint, dialect, request)
        except FairleadError as error:
            decided = {"allowed": False, "status": _refusal(endpoint, error, _object(request, "object"))}
        return {"apiVersion": API_VERSION, "kind": KIND, "response": {"uid": request["uid"], **decided}}

    def _decide(self, endpoint: Endpoint, dialect: Dialect, request: Mapping[str, Any]) -> dict[str, Any]:
        doc = _object(request, "object")
        # What is being deleted is changed only so that it can go, and nobody may be kept from that.
        if request.get("operation") not in ("CREATE", "UPDATE") or (doc or {}).get("metadata", {}).get(_DELETED):
            return {"allowed": True}
        if doc is None or not _is_of(doc, endpoint):
            raise BadRequest(f"{endpoint.path} answers for a {endpoint.kind.kind}, and was asked about {_named(doc)}")
        return self._filled_in(dialect, doc, request) if endpoint.is_mutating else self._checked(dialect, doc, request)

    def _filled_in(self, dialect: Dialect, doc: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
        placed = _placed(doc, request)
        try:
            patch = difference(placed, dialect.default(placed, world=self.world()))
        except InvalidManifest:
            # Not checked against the schema yet: that comes next, and says it in better words.
            return {"allowed": True}
        if not patch:
            return {"allowed": True}
        text = base64.b64encode(json.dumps(patch).encode()).decode()
        return {"allowed": True, "patchType": "JSONPatch", "patch": text}

    def _checked(self, dialect: Dialect, doc: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
        old, world = _object(request, "oldObject"), self.world()
        # Filled in once more, which changes nothing unless the webhook that does it was passed over.
        whole = dialect.default(_placed(doc, request), world=world)
        dialect.validate(whole, catalog=self.catalog, old=old, world=world)
        warnings = [_cut(sentence) for sentence in self.warn(whole)]
        return {"allowed": True, **({"warnings": warnings} if warnings else {})}


_DELETED = "deletionTimestamp"


def _request_of(review: Any) -> Mapping[str, Any]:
    if not isinstance(review, Mapping) or review.get("kind") != KIND:
        raise BadRequest(f"expected an {KIND}")
    if review.get("apiVersion") != API_VERSION:
        raise BadRequest(f"expected {API_VERSION}, and got {review.get('apiVersion')!r}")
    request = review.get("request")
    if not isinstance(request, Mapping) or not isinstance(request.get("uid"), str) or not request["uid"]:
        raise BadRequest("an AdmissionReview has a request with a uid")
    return request


def _object(request: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """An object of the request; its metadata is an object too."""
    doc = request.get(name)
    if doc is None:
        return None
    if not isinstance(doc, dict) or not isinstance(doc.get("metadata", {}), dict):
        raise BadRequest(f"request.{name} is no object of an API")
    return {**doc, "metadata": dict(doc.get("metadata") or {})}


def _is_of(doc: Document, endpoint: Endpoint) -> bool:
    group, _, version = str(doc.get("apiVersion") or "").rpartition("/")
    kind = endpoint.kind
    return (group, doc.get("kind")) == (kind.group, kind.kind) and version in kind.versions


def _named(doc: Document | None) -> str:
    return f"{doc.get('apiVersion')} {doc.get('kind')}" if doc else "nothing"


def _placed(doc: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """With its name and namespace. One whose name is to be made up (`generateName`) has none yet."""
    metadata = doc["metadata"]
    name = metadata.get("name") or request.get("name") or f"{metadata.get('generateName') or ''}x"
    placed = {**metadata, "name": name}
    if namespace := metadata.get("namespace") or request.get("namespace"):
        placed["namespace"] = namespace
    return {**doc, "metadata": placed}


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= _WARNING_LENGTH else f"{sentence[: _WARNING_LENGTH - 1]}…"


def _refusal(endpoint: Endpoint, error: FairleadError, doc: Document | None) -> dict[str, Any]:
    """The `Status` of a refusal, without the words about the webhook that the API server puts before it. A kind whose
    upstream webhook answers with rules alone is refused as Forbidden; the other's causes name fields."""
    is_ruled = isinstance(error, InvalidManifest)
    if is_ruled and endpoint.kind.is_refused_plainly:
        return {"status": "Failure", "code": 403, "reason": "Forbidden", "message": str(error)}
    status: dict[str, Any] = {
        "status": "Failure",
        "code": error.http,
        "reason": "Invalid" if is_ruled else error.reason,
        "message": str(error),
    }
    if isinstance(error, InvalidManifest):
        status["details"] = {
            "group": endpoint.kind.group,
            "kind": endpoint.kind.kind,
            "name": str((doc or {}).get("metadata", {}).get("name") or ""),
            "causes": [_cause(problem) for problem in error.problems],
        }
    return status


def _cause(problem: Problem) -> dict[str, str]:
    text = f'Invalid value: "{problem.value}": {problem.message}'
    return {"reason": problem.cause, "message": text, "field": problem.field}
