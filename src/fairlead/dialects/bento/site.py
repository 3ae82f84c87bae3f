"""Where the dialect's resources are laid out: the installation's decisions and what the cluster stores."""

from dataclasses import dataclass, field

from fairlead.dialects.base import World
from fairlead.dialects.bento.network import Network, read_network
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A cluster as layouts see it."""

    settings: ClusterSettings
    world: World
    catalog: Catalog = field(default_factory=Catalog)

    @property
    def network(self) -> Network:
        """What is said of ways in. Raises `ConfigError`."""
        return read_network(self.world, self.settings)
