"""`fairlead version`."""

import platform
from importlib.metadata import version as installed_version

from fairlead.cli import output


def version() -> None:
    """Print the version of Fairlead and of the Python it runs on."""
    output.say(f"fairlead {text()} (Python {platform.python_version()})")


def text() -> str:
    return installed_version("fairlead")
