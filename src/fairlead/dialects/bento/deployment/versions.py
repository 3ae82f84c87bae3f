"""BentoDeployments of the old versions as stored ones, and stored ones as old. Pure, and nothing is lost either way.

What a version cannot say is kept in an annotation as it was written, in the words of the version that can. Whoever
changes an object in one version changes what that field means in the other, and nothing else: the fields whose meaning
stayed come back as they were written.
"""

import json
from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.bento.deployment.schema import GROUP, VERSION
from fairlead.dialects.bento.deployment.to_shown import shown_spec, shown_status, stored_status
from fairlead.dialects.bento.deployment.to_stored import stored_spec

Spec = Mapping[str, Any]
PREFIX = "fairlead.dev/spec."
"""Annotations that keep a spec, by the version it is of. A stored one has the tag that was shown for it besides."""
_TAG = "bento_tag"


def to_stored(doc: Document) -> dict[str, Any]:
    """An object of any version as one of the stored version."""
    version = version_of(doc)
    if version == VERSION:
        return dict(doc)
    spec = _mapping(doc.get("spec"))
    found, tag = stored_spec(spec, version), ""
    if (kept := _kept(doc, VERSION)) is not None:
        was = str(kept.pop(_TAG, ""))
        found = _merged(kept, stored_spec(shown_spec(kept, version, was), version), found)
        tag = was if found.get("bento") == kept.get("bento") and not _is_made_of(was, kept) else ""
    note = {} if shown_spec(found, version, tag) == spec else {version: spec}
    stored = _with(doc, VERSION, found, note)
    return {**stored, "status": stored_status(doc["status"])} if isinstance(doc.get("status"), Mapping) else stored


def to_shown(doc: Document, version: str, world: World) -> dict[str, Any]:
    """A stored object as one of this version."""
    if version == VERSION:
        return dict(doc)
    spec = _mapping(doc.get("spec"))
    tag = original_tag(doc) or _tag_in(world, doc, str(spec.get("bento") or ""))
    found = shown_spec(spec, version, tag)
    if (kept := _kept(doc, version)) is not None:
        again = shown_spec(stored_spec(kept, version), version, str(kept.get(_TAG) or ""))
        found = _merged(kept, again, found)
    note = {} if stored_spec(found, version) == spec else {VERSION: {**spec, _TAG: found.get(_TAG, "")}}
    shown = _with(doc, version, found, note)
    return {**shown, "status": shown_status(doc["status"])} if isinstance(doc.get("status"), Mapping) else shown


def original_tag(doc: Document) -> str:
    """The tag that a stored object was written with in an old version; empty when it was not, or names another now."""
    for version in _versions_kept(doc):
        kept = _kept(doc, version) or {}
        tag = str(kept.get(_TAG) or "")
        if tag and stored_spec({_TAG: tag}, version).get("bento") == _mapping(doc.get("spec")).get("bento"):
            return tag
    return ""


def version_of(doc: Document) -> str:
    """The version that an object is written in."""
    return str(doc.get("apiVersion") or "").rpartition("/")[2]


def _is_made_of(tag: str, spec: Spec) -> bool:
    """Whether the Bento's name was made of that tag, so that nobody else remembers it."""
    return tag != spec.get("bento") and stored_spec({_TAG: tag}, VERSION).get("bento") == spec.get("bento")


def _tag_in(world: World, doc: Document, name: str) -> str:
    """The tag of what a name stands for."""
    namespace = str(_mapping(doc.get("metadata")).get("namespace") or "")
    for kind, field in (("Bento", "tag"), ("BentoRequest", "bentoTag")):
        found = world.get(kind, namespace, name)
        if found is not None and (found.get("spec") or {}).get(field):
            return str(found["spec"][field])
    return ""


def _merged(kept: Spec, before: Spec, after: Spec) -> dict[str, Any]:
    """What was kept, with those fields that mean something else now."""
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    merged = {name: value for name, value in kept.items() if name not in changed or name in after}
    return {**merged, **{name: after[name] for name in after if name in changed}}


def _with(doc: Document, version: str, spec: Mapping[str, Any], note: Mapping[str, Any]) -> dict[str, Any]:
    metadata = _mapping(doc.get("metadata"))
    before = _mapping(metadata.get("annotations"))
    annotations = {key: value for key, value in before.items() if not key.startswith(PREFIX)}
    annotations |= {
        f"{PREFIX}{name}": json.dumps(kept, separators=(",", ":"), sort_keys=True) for name, kept in note.items()
    }
    new = {key: value for key, value in metadata.items() if key != "annotations"}
    if annotations:
        new["annotations"] = annotations
    return {**doc, "apiVersion": f"{GROUP}/{version}", "metadata": new, "spec": dict(spec)}


def _versions_kept(doc: Document) -> list[str]:
    annotations = _mapping(_mapping(doc.get("metadata")).get("annotations"))
    return [key.removeprefix(PREFIX) for key in annotations if key.startswith(PREFIX)]


def _kept(doc: Document, version: str) -> dict[str, Any] | None:
    """What an annotation keeps of that version. One that somebody broke keeps nothing."""
    text = _mapping(_mapping(doc.get("metadata")).get("annotations")).get(f"{PREFIX}{version}")
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
