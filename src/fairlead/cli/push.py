"""`fairlead push`: a model of any format, or a bento, into the registry."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.exits import UsageError
from fairlead.cli.parcels import Wish, parcels_of
from fairlead.cli.registries import Registry, RegistryConnection
from fairlead.cli.shipping import Shipment, ship
from fairlead.cli.tags import read_tag
from fairlead.cli.transfer_bar import bar


def push(
    path: Path,
    tag: str = "",
    /,
    *,
    format_: Annotated[str, Parameter(name=["--format"])] = "",
    description: str = "",
    label: Annotated[list[str] | None, Parameter(negative="")] = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    connection: RegistryConnection | None = None,
) -> None:
    """Push a model folder or file, a bento, or an export of BentoML into the registry.

    Prints the name that other manifests use: fairlead://name:version.

    Parameters
    ----------
    path
        The model's folder or file, a bento's folder, or a .bento or .bentomodel file.
    tag
        Name, or name:version (default: the file's name, and a version made of its content).
    format_
        The model's format, such as sklearn (default: told by its files).
    description
        What it is, in Markdown.
    label
        A label as key=value; may be given several times.
    force
        Replace a version that is there.
    """
    labels = [_pair(text) for text in label or ()]
    wish = Wish(tag=read_tag(tag) if tag else None, format=format_, description=description, labels=labels)
    with (connection or RegistryConnection()).open() as registry, parcels_of(path, wish) as shipments:
        for shipment in shipments:
            _send(registry, shipment, force=force)


def _send(registry: Registry, shipment: Shipment, *, force: bool) -> None:
    with bar(shipment.tag, shipment.archive.size) as sent:
        is_new = ship(registry, shipment, force=force, sent=sent)
    size = output.size(shipment.archive.content_bytes)
    output.note(f"{shipment.tag} {f'pushed ({size})' if is_new else 'is there already'}")
    output.say(f"fairlead://{'bentos/' if shipment.kind == 'bento' else ''}{shipment.tag}")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"--label {text!r}: write key=value")
    return key, value
