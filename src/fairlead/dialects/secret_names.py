"""Which Secrets the components of a plan read. Names only: what is in them is the back-end's business."""

from collections.abc import Iterable

from fairlead.plan.model import Artifact, Component, Unit


def secret_names(components: Iterable[Component]) -> tuple[str, ...]:
    """In the order of the alphabet."""
    names: set[str] = set()
    for component in components:
        for unit in component.revision.units:
            names |= _of_unit(unit)
        for variable in component.revision.env:
            if variable.source is not None and variable.source.kind == "Secret":
                names.add(variable.source.name)
        for hosted in component.hosted:
            names |= _of_artifact(hosted.artifact)
    return tuple(sorted(names))


def _of_unit(unit: Unit) -> set[str]:
    inits = unit.container.init if unit.container else ()
    variables = [*unit.env, *(variable for init in inits for variable in init.env)]
    names = {item.source.name for item in variables if item.source is not None and item.source.kind == "Secret"}
    sources = [*unit.env_from, *(source for init in inits for source in init.env_from)]
    names |= {source.name for source in sources if source.kind == "Secret"}
    mounts = [*(unit.container.mounts if unit.container else ()), *(mount for init in inits for mount in init.mounts)]
    names |= {mount.source.removeprefix("secret:") for mount in mounts if mount.source.startswith("secret:")}
    return names | (_of_artifact(unit.artifact) if unit.artifact is not None else set())


def _of_artifact(artifact: Artifact) -> set[str]:
    names = {item.source.name for item in artifact.init_env if item.source is not None and item.source.kind == "Secret"}
    return names | ({artifact.env_secret} if artifact.env_secret else set())
