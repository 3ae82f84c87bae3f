"""The configuration file as commands read it: refused before anything starts, with the name of the file.

The catalog is built here only when the file has one, because its module is felt in the start-up time of `up`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fairlead.backends.local.home import Home
from fairlead.control import settings as settings_module
from fairlead.control.settings import Settings
from fairlead.errors import ConfigError

if TYPE_CHECKING:
    from fairlead.dialects.catalog import Catalog


def read_settings(home: Home, config: Path | None, flags: Mapping[str, Any] = MappingProxyType({})) -> Settings:
    """The settings in force, with nothing in them that the control process would refuse. Raises `ConfigError`."""
    path = config or home.config
    found = settings_module.load(path, environ=os.environ, flags=flags, is_required=config is not None)
    if found.images or found.servers:
        _catalog(found, path)
    return found


def read_catalog(home: Home, config: Path | None) -> "Catalog":
    """What runs in place of images, with the user's own entries."""
    return _catalog(read_settings(home, config), config or home.config)


def _catalog(found: Settings, path: Path) -> "Catalog":
    from fairlead.dialects.catalog import Catalog

    try:
        return Catalog.from_config(found.catalog, found.base)
    except ConfigError as problem:
        raise ConfigError(f"{path}: {problem}") from problem
