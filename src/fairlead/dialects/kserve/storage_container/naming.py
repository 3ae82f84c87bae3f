"""A predictor that names its ClusterStorageContainer (`storageContainerName`): whether that one would fetch its model.

Models are fetched by Fairlead itself, whatever the container is; what a cluster would refuse is refused here too.
"""

import re

from fairlead.dialects.base import World
from fairlead.dialects.kserve.problems import go_quoted, problem, refuse
from fairlead.dialects.kserve.storage_container.schema import INIT_CONTAINER, KIND, ClusterStorageContainer

_PATH = "spec.predictor.storageContainerName"


def check_container(name: str, uris: tuple[str, ...], world: World) -> None:
    """Raise `InvalidManifest`, in the controller's words, for a container that cannot fetch these."""
    stored = world.get(KIND, "", name)
    label = f"{KIND} {go_quoted(name)}"
    if stored is None:
        refuse([problem(_PATH, f"{label} not found")])
        return
    container = ClusterStorageContainer.model_validate(dict(stored))
    texts = []
    if container.disabled:
        texts.append(f"{label} is disabled")
    kind = container.spec.workload_type
    if kind != INIT_CONTAINER:
        wanted = go_quoted(INIT_CONTAINER)
        texts.append(f"{label} has workloadType {go_quoted(kind)}; explicit selection requires {wanted}")
    texts += [f"{label} does not support storageUri {go_quoted(uri)}" for uri in uris if not supports(container, uri)]
    refuse([problem(_PATH, text) for text in texts])


def supports(container: ClusterStorageContainer, uri: str) -> bool:
    """Whether it fetches from an address."""
    return any(
        (one.prefix and uri.startswith(one.prefix)) or (one.regex and re.search(one.regex, uri))
        for one in container.spec.supported_uri_formats
    )
