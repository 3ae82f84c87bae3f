"""Which ClusterStorageContainer would fetch a component's model: its variables (a hub's address, a token from a Secret)
hold for the transfer, whatever container it names. The first that is enabled and takes the address does, in the order
of their names; a predictor may name one."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import World
from fairlead.dialects.kserve.storage_container.naming import supports
from fairlead.dialects.kserve.storage_container.schema import INIT_CONTAINER, KIND, ClusterStorageContainer

_STORAGE_URI = "STORAGE_URI"


def fetch_env(part: Mapping[str, Any], world: World) -> list[dict[str, Any]]:
    """The variables of that container, as JSON; none when nothing is fetched or no container takes it."""
    uri = _uri(part)
    return variables_for(uri, world, named=part.get("storageContainerName") or "") if uri else []


def variables_for(uri: str, world: World, *, named: str = "") -> list[dict[str, Any]]:
    """The variables of the container that would fetch an address."""
    for stored in world.list(KIND):
        if named and stored["metadata"]["name"] != named:
            continue
        container = ClusterStorageContainer.model_validate(dict(stored))
        takes = container.spec.workload_type == INIT_CONTAINER and supports(container, uri)
        if takes and not container.disabled:
            env = stored["spec"]["container"].get("env") or ()
            return [dict(variable) for variable in env]
    return []


def _uri(part: Mapping[str, Any]) -> str:
    """The first address that the component gives."""
    several = part.get("storageUris") or ()
    own = [(part.get(name) or {}).get("storageUri") for name in ("model", "art")]
    variables = [one for container in part.get("containers") or () for one in container.get("env") or ()]
    said = [one.get("value") for one in variables if one.get("name") == _STORAGE_URI]
    return next((uri for uri in (*own, *(one["uri"] for one in several), *said) if uri), "")
