"""`fairlead tag`: gives a version of the registry another name, which may be moved later."""

from typing import Annotated

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.registries import RegistryConnection
from fairlead.cli.tags import kind_of, read_tag
from fairlead.cli.versions import newest


def tag(
    version: str,
    names: Annotated[list[str], Parameter(negative="")],
    /,
    *,
    remove: Annotated[bool, Parameter(negative="")] = False,
    connection: RegistryConnection | None = None,
) -> None:
    """Let names point at a version: after `fairlead tag iris:v7 production`, fairlead://iris:production is v7.

    A name that pointed elsewhere is moved. What is deployed stays as it is until its manifest is applied again.

    Parameters
    ----------
    version
        name:version (or bentos/name:version); without a version the newest one.
    names
        One or more names.
    remove
        Take the names away instead; the version stays.
    """
    asked = read_tag(version)
    with (connection or RegistryConnection()).open() as registry:
        pointed = asked.tag if remove else asked.tag or newest(registry, asked)
        for name in names:
            path = f"{registry.item(kind_of(asked), asked.name)}/aliases/{name}"
            if remove:
                registry.request("DELETE", path)
                output.note(f"{asked.name}:{name} is no name any more")
            else:
                registry.request("PUT", path, body={"version": pointed})
                output.note(f"{asked.name}:{name} is {asked.name}:{pointed}")
