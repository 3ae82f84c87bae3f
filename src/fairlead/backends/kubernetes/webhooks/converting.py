"""What the conversion webhook answers: a ConversionReview to a ConversionReview, by the kinds that have versions of
other forms. An API server asks whenever somebody reads or writes an object in another version than the stored one.

Pure but for the world it looks at, and all or nothing: of several objects none is converted when one cannot be.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.dialects.base import Kind, World
from fairlead.errors import BadRequest, FairleadError

API_VERSION, KIND = "apiextensions.k8s.io/v1", "ConversionReview"
PATH = "/convert"


def converted_kinds(kinds: Iterable[Kind]) -> list[Kind]:
    """Those that need it."""
    return [kind for kind in kinds if kind.forms]


@dataclass(frozen=True, slots=True, kw_only=True)
class Converter:
    """Answers for some kinds. `world` is what is stored now."""

    kinds: Iterable[Kind]
    world: Callable[[], World]
    _by_name: dict[tuple[str, str], Kind] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name.update({(kind.group, kind.kind): kind for kind in converted_kinds(self.kinds)})

    def answer(self, review: Any) -> dict[str, Any]:
        """The answer to a review. Raises `BadRequest` for what is none."""
        if not isinstance(review, Mapping) or (review.get("kind"), review.get("apiVersion")) != (KIND, API_VERSION):
            raise BadRequest(f"expected a {KIND} of {API_VERSION}")
        request = review.get("request")
        if not isinstance(request, Mapping) or not request.get("uid") or not isinstance(request.get("objects"), list):
            raise BadRequest(f"a {KIND} has a request with a uid and objects")
        wanted = str(request.get("desiredAPIVersion") or "")
        answered: dict[str, Any] = {"uid": request["uid"]}
        try:
            answered["convertedObjects"] = [self._converted(one, wanted) for one in request["objects"]]
            answered["result"] = {"status": "Success"}
        except FairleadError as error:
            answered["convertedObjects"] = []
            answered["result"] = {"status": "Failure", "message": str(error)}
        return {"apiVersion": API_VERSION, "kind": KIND, "response": answered}

    def _converted(self, doc: Any, wanted: str) -> dict[str, Any]:
        if not isinstance(doc, dict) or not isinstance(doc.get("metadata"), dict):
            raise BadRequest("request.objects has something that is no object of an API")
        group, _, version = str(doc.get("apiVersion") or "").rpartition("/")
        kind = self._by_name.get((group, str(doc.get("kind"))))
        wanted_group, _, wanted_version = wanted.rpartition("/")
        if kind is None or wanted_group != group or not {version, wanted_version} <= set(kind.versions):
            raise BadRequest(f"{doc.get('apiVersion')} {doc.get('kind')} cannot be had as {wanted}")
        form, target = kind.form(version), kind.form(wanted_version)
        stored = form.stored(doc) if form is not None else doc
        return target.shown(stored, self.world()) if target is not None else stored
