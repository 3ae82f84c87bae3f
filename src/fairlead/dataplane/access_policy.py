"""Which requests get a line in the access log: what a setting may say, apart from what writes the lines, so that the
command line can read its settings in a moment."""

from fairlead.errors import ConfigError

VARIABLE = "FAIRLEAD_ACCESS_LOG"
"""By which workers are told."""
ACCEPTED = "off, errors, all, or the share of requests to log, such as 0.01"


def share_of(policy: str) -> float | None:
    """The share of good answers that a policy logs, `None` when it logs nothing. Raises `ConfigError`."""
    words: dict[str, float | None] = {"": None, "off": None, "errors": 0.0, "all": 1.0}
    if policy in words:
        return words[policy]
    try:
        share = float(policy)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigError(f"access_log: {policy!r} is not accepted; expected {ACCEPTED}")
    return share
