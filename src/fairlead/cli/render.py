"""`fairlead render`: the Kubernetes objects of manifests, for those who want to see them, or apply them themselves."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.configuration import read_catalog
from fairlead.cli.connection import home_at
from fairlead.cli.exits import UsageError
from fairlead.cli.manifests import read_documents
from fairlead.cli.rendering import read_values, render_all

_Files = Annotated[list[str], Parameter(name=["--filename", "-f"], negative="", allow_leading_hyphen=True)]


def render(
    folder: Path | None = None,
    /,
    *,
    file: _Files,
    output_: Annotated[Literal["yaml", "json", "dir"], Parameter(name=["--output", "-o"])] = "yaml",
    values: Path | None = None,
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "default",
    config: Path | None = None,
    home: Path | None = None,
) -> int:
    """Show the Kubernetes objects of manifests, ready to be applied. Needs no cluster and no operator.

    Parameters
    ----------
    folder
        Where `-o dir` writes a file for each object.
    file
        A file, a folder, a URL, or - for standard input; may be given several times.
    output_
        yaml (default), json, or dir for a folder of files.
    values
        Values file of the installation, as its Helm chart takes it.
    namespace
        Of manifests that name none (default).
    config
        Configuration file with images and servers of your own (default: config.toml of the home).
    home
        Where the installation keeps its things (default: $FAIRLEAD_HOME, ~/.fairlead).
    """
    if (output_ == "dir") != (folder is not None):
        raise UsageError("-o dir is followed by the folder to write to, and only -o dir is")
    asked = read_values(values)
    made = render_all(read_documents(file), asked.settings, read_catalog(home_at(home), config), namespace=namespace)
    for warning in (*(f"warning: {text}" for text in asked.warnings), *made.warnings):
        output.note(warning)
    if folder is not None:
        _write(made.objects, folder)
    elif not made.objects:
        output.note("These manifests make no objects.")
    else:
        output.say(_text(made.objects, is_json=output_ == "json"))
    return 0


def _text(objects: tuple[dict[str, Any], ...], *, is_json: bool) -> str:
    from fairlead.backends.kubernetes.text import yaml_of

    if is_json:
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2, ensure_ascii=False)
    return yaml_of(objects).rstrip("\n")


def _write(objects: tuple[dict[str, Any], ...], folder: Path) -> None:
    """A file for each object, under its namespace. Files that were there before and are of no object now may be
    somebody's own, so they are named and left."""
    written = {folder / _file_of(made): made for made in objects}
    for path, made in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text((made,), is_json=False) + "\n")
        output.say(str(path))
    for stale in sorted({other for path in written for other in path.parent.glob("*.yaml")} - set(written)):
        output.note(f"{stale}: warning: no object of these manifests; it is left as it is")


def _file_of(made: dict[str, Any]) -> str:
    """`default/deployment.apps-iris.yaml`: names stay the same as long as the object does, and no two objects share
    one, because a kind is followed by its group."""
    group = str(made["apiVersion"]).rpartition("/")[0]
    kind = ".".join(part for part in (str(made["kind"]).lower(), group) if part)
    metadata = made["metadata"]
    return f"{metadata.get('namespace', '_cluster')}/{kind}-{metadata['name']}.yaml"
