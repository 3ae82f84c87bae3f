"""When a model gets an environment of its own. Apart from what builds one, as the settings name it."""

from enum import StrEnum


class Mode(StrEnum):
    """When what is installed does not do, always, never."""

    AUTO = "auto"
    BUILD = "build"
    NEVER = "never"
