"""Why an environment cannot be built, as people and retries see it."""

from fairlead.errors import Permanent, Retryable


class EnvironmentFailed(Permanent):
    """The list cannot be installed as it is."""

    http, reason = 422, "EnvironmentFailed"


class IndexUnavailable(Retryable):
    """The package index does not answer now, or the build was given up."""

    reason = "EnvironmentFailed"
