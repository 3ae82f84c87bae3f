"""`fairlead models` and `fairlead bentos`: what the registry has, and what is known of one of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.registries import Registry, RegistryConnection
from fairlead.cli.tags import kind_of, read_tag
from fairlead.errors import NotFound
from fairlead.storage.uris import RegistryUri

_PAGE = 100
Form = Annotated[Literal["table", "yaml", "json"], Parameter(name=["--output", "-o"])]


def models(
    tag: str = "",
    /,
    *,
    search: str = "",
    limit: int = _PAGE,
    output_form: Form = "table",
    connection: RegistryConnection | None = None,
) -> None:
    """List the registry's models, the versions of one, or what is known of one version.

    Parameters
    ----------
    tag
        name for its versions, name:version for one.
    search
        Words and filters, such as label:team=a or sort:size-desc.
    limit
        How many at most (default: 100; 0 is all).
    output_form
        table, yaml or json.
    """
    _show("model", tag, search, limit, output_form, connection or RegistryConnection())


def bentos(
    tag: str = "",
    /,
    *,
    search: str = "",
    limit: int = _PAGE,
    output_form: Form = "table",
    connection: RegistryConnection | None = None,
) -> None:
    """List the registry's bentos, the versions of one, or what is known of one version.

    Parameters
    ----------
    tag
        name for its versions, name:version for one.
    search
        Words and filters, such as label:team=a or sort:size-desc.
    limit
        How many at most (default: 100; 0 is all).
    output_form
        table, yaml or json.
    """
    _show("bento", tag, search, limit, output_form, connection or RegistryConnection())


def newest(registry: Registry, asked: RegistryUri) -> str:
    """The newest complete version. Raises NotFound."""
    path = f"{registry.item(kind_of(asked), asked.name)}/{kind_of(asked)}s"
    listed = registry.find(f"{path}?start=0&count=10") or {}
    for item in listed.get("items") or ():
        if item["upload_status"] == "success":
            return str(item["version"])
    raise NotFound(f"{asked.name}: the registry has no complete version of it")


def _show(
    kind: str, tag: str, search: str, limit: int, form: Literal["table", "yaml", "json"], connection: RegistryConnection
) -> None:
    asked = read_tag(f"{kind}s/{tag.removeprefix(f'{kind}s/')}") if tag else None
    with connection.open() as registry:
        if asked is not None and asked.tag:
            _show_one(registry, kind, asked, form)
            return
        path = f"{registry.item(kind, asked.name)}/{kind}s" if asked else f"/api/v1/{kind}s"
        answer = registry.get(path, {"start": "0", "count": str(limit), "q": search})
    items = answer["items"]
    if form != "table":
        output.say(output.document(items, form))
        return
    if not items:
        output.note(f"No {kind}s{f' of {asked.name}' if asked else ''}; `fairlead push` puts them there.")
        return
    output.Columns(_HEADINGS[kind]).print([_row(kind, item, asked.name if asked else "") for item in items])
    if answer["total"] > len(items):
        output.note(f"{len(items)} of {answer['total']}; --limit and --search show others")


_HEADINGS = {
    "model": ("tag", "format", "size", "uploaded", "state"),
    "bento": ("tag", "models", "size", "uploaded", "state"),
}


def _row(kind: str, item: Mapping[str, Any], name: str) -> tuple[str, ...]:
    manifest = item.get("manifest") or {}
    tag = f"{name or item['repository']['name']}:{item['version']}"
    about = _format(manifest) if kind == "model" else str(len(manifest.get("models") or ()))
    return tag, about, output.size(manifest.get("size_bytes") or 0), _when(item["build_at"]), item["upload_status"]


def _format(manifest: Mapping[str, Any]) -> str:
    said = (manifest.get("metadata") or {}).get("format")
    return str(said or (manifest.get("context") or {}).get("framework_name") or "")


def _when(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")


def _show_one(registry: Registry, kind: str, asked: RegistryUri, form: Literal["table", "yaml", "json"]) -> None:
    path = registry.item(kind, asked.name, asked.tag)
    found = registry.find(path)
    if found is None:
        raise NotFound(f"{asked.name}:{asked.tag}: the registry has no such {kind}")
    if form != "table":
        output.say(output.document(found, form))
        return
    for name, value in _facts(kind, asked, found):
        output.say(f"{f'{name}:':<12} {value}")


def _facts(kind: str, asked: RegistryUri, found: Mapping[str, Any]) -> list[tuple[str, str]]:
    manifest = found.get("manifest") or {}
    context, metadata = manifest.get("context") or {}, manifest.get("metadata") or {}
    creator = (found.get("creator") or {}).get("name", "")
    facts = [
        ("tag", f"{asked.name}:{found['version']}"),
        ("uri", str(asked)),
        ("state", _state(found)),
        ("digest", str(found.get("digest") or "")),
        ("size", output.size(manifest.get("size_bytes") or 0)),
        ("format", _format(manifest) if kind == "model" else ""),
        ("made with", output.pairs(context.get("framework_versions") or {}, separator=" ")),
        ("inputs", _specs(metadata.get("inputs") or ())),
        ("models", ", ".join(str(tag) for tag in manifest.get("models") or ())),
        ("pushed", f"{_when(found['build_at'])}{f' by {creator}' if creator else ''}"),
        ("labels", output.pairs({label["key"]: label["value"] for label in found["labels"]})),
        ("used by", ", ".join(found.get("used_by") or ())),
    ]
    return [(name, value) for name, value in facts if value and value != "<none>"]


def _state(found: Mapping[str, Any]) -> str:
    why = found.get("upload_finished_reason") if found["upload_status"] == "failed" else ""
    return f"{found['upload_status']}: {why}" if why else str(found["upload_status"])


def _specs(specs: Any) -> str:
    return ", ".join(f"{spec['name']} {spec['datatype']} {spec['shape']}" for spec in specs)
