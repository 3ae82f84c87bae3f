"""`fairlead rm`: takes models and bentos out of the registry."""

from typing import Annotated

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.registries import RegistryConnection
from fairlead.cli.tags import kind_of, read_tag


def rm(
    tags: Annotated[list[str], Parameter(negative="")],
    /,
    *,
    force: Annotated[bool, Parameter(negative="")] = False,
    connection: RegistryConnection | None = None,
) -> None:
    """Remove versions of models or bentos from the registry, or whole names with all their versions.

    Parameters
    ----------
    tags
        name:version for one version, name for all of them; bentos/name:version for a bento.
    force
        Even while a deployment uses it.
    """
    asked = [read_tag(tag) for tag in tags]
    with (connection or RegistryConnection()).open() as registry:
        for uri in asked:
            path = registry.item(kind_of(uri), uri.name, uri.tag)
            registry.request("DELETE", path, query={"force": "true"} if force else None)
            output.note(f"{uri.name}{f':{uri.tag}' if uri.tag else ''} removed")
