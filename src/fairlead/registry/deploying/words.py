"""Words of both client dialects that are closed sets: a client that reads one it does not know ends with an error."""

from enum import StrEnum


class Status(StrEnum):
    """Where a deployment stands. Clients before 1.2 do not know the last."""

    UNKNOWN = "unknown"
    NON_DEPLOYED = "non-deployed"
    RUNNING = "running"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"
    DEPLOYING = "deploying"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    IMAGE_BUILDING = "image-building"
    IMAGE_BUILD_FAILED = "image-build-failed"
    IMAGE_BUILD_SUCCEEDED = "image-build-succeeded"
    SCALED_TO_ZERO = "scaled-to-zero"


class TargetType(StrEnum):
    STABLE = "stable"
    CANARY = "canary"


class RuleType(StrEnum):
    """How requests are chosen for a canary."""

    WEIGHT = "weight"
    HEADER = "header"
    COOKIE = "cookie"


class RevisionStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"


class Mode(StrEnum):
    """What clients before 1.2 ask for. There is no difference here: both scale as their numbers say."""

    DEPLOYMENT = "deployment"
    FUNCTION = "function"


class Strategy(StrEnum):
    """How replicas of a new revision take the place of the old ones."""

    ROLLING_UPDATE = "RollingUpdate"
    RECREATE = "Recreate"
    RAMPED_SLOW_ROLLOUT = "RampedSlowRollout"
    BEST_EFFORT_CONTROLLED_ROLLOUT = "BestEffortControlledRollout"


class Metric(StrEnum):
    """What autoscaling goes by."""

    CPU = "cpu"
    MEMORY = "memory"
    GPU = "gpu"
    QPS = "qps"


class Pace(StrEnum):
    """How fast autoscaling follows, in one direction."""

    DISABLED = "disabled"
    STABLE = "stable"
    FAST = "fast"


def for_old_clients(status: Status) -> Status:
    """The nearest status that clients before 1.2 know: what is asked of a deployment at zero is answered."""
    return Status.RUNNING if status is Status.SCALED_TO_ZERO else status
