"""`kserve.constants`."""

from fairlead.runtimes.kserve_shim.constants import constants

__all__ = ["constants"]
