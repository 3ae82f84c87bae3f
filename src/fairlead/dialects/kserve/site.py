"""Where a resource of KServe's is laid out: the installation's decisions, its settings, and what the cluster stores."""

from dataclasses import dataclass, field

from fairlead.dialects.base import World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve.cluster_settings import cluster_world
from fairlead.dialects.kserve.config import InferenceServiceConfig, read_config


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A cluster as layouts see it. `config` is what the ConfigMap `inferenceservice-config` says there, with what the
    installation would write where it is silent; `world` has that ConfigMap too."""

    settings: ClusterSettings
    config: InferenceServiceConfig
    world: World
    catalog: Catalog = field(default_factory=Catalog)

    def is_ours(self, image: str) -> bool:
        """Whether an image has our program as its entry point, in whatever version."""
        ours = (self.settings.image, *self.settings.runtime_images.values())
        return repository_of(image) in {repository_of(one) for one in ours}


def repository_of(image: str) -> str:
    """An image without its tag and digest."""
    front, slash, last = image.partition("@")[0].rpartition("/")
    return f"{front}{slash}{last.partition(':')[0]}"


def site_of(settings: ClusterSettings, world: World, catalog: Catalog | None = None) -> Site:
    """The cluster that a world is of. Raises `ConfigError` for settings that cannot be read."""
    furnished = cluster_world(world, settings)
    return Site(settings=settings, config=read_config(furnished), world=furnished, catalog=catalog or Catalog())
