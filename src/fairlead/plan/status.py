"""What a back-end reports of a plan it is making true. Dialects turn it into their own status."""

from dataclasses import dataclass
from enum import StrEnum

from fairlead.plan.bentos import BentoFacts, ImageStatus
from fairlead.plan.model import ComponentName, Owner


class ReplicaState(StrEnum):
    """The life of one replica, in order."""

    NEW = "New"
    STARTING = "Starting"
    READY = "Ready"
    DRAINING = "Draining"
    GONE = "Gone"


class Phase(StrEnum):
    """Where a component's wanted revision stands."""

    PENDING = "Pending"
    DOWNLOADING = "Downloading"
    STARTING = "Starting"
    READY = "Ready"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something is not as wanted: which unit, a CamelCase reason, and a sentence a person can act on."""

    unit: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A transfer or another preparation under way, which `verb` says. `total_bytes` is 0 when nobody tells."""

    what: str
    verb: str = "downloading"
    done_bytes: int = 0
    total_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """One replica, as a pod would be shown."""

    name: str
    component: ComponentName
    revision: str
    state: ReplicaState
    restarts: int = 0
    pid: int = 0
    started_at: float = 0.0
    """Seconds since the epoch."""
    log_path: str = ""
    cause: Cause | None = None


class ModelState(StrEnum):
    """Where a model stands that is fetched or hosted beside a component's own."""

    PENDING = "Pending"
    DOWNLOADING = "Downloading"
    LOADING = "Loading"
    READY = "Ready"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """A hosted or prefetched model. `message` says why it is not ready. Of a bento `facts` are what is in it, as soon
    as that is known, and `image` is how far the image is that the plan asked for."""

    name: str
    state: ModelState
    reason: str = ""
    message: str = ""
    progress: Progress | None = None
    facts: BentoFacts | None = None
    image: ImageStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentStatus:
    """One component: the revision it should have, how many replicas it should have and has. `scaling` says why it
    should have that many, when its load decides; `models` are those that it hosts beside its own."""

    component: ComponentName
    full_name: str
    revision: str
    phase: Phase
    desired: int
    ready: int
    replicas: tuple[ReplicaStatus, ...] = ()
    cause: Cause | None = None
    progress: Progress | None = None
    scaling: str = ""
    models: tuple[ModelStatus, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStatus:
    """One plan. `routed` says that requests reach the wanted revisions (and no others)."""

    owner: Owner
    components: tuple[ComponentStatus, ...]
    routed: bool
    prefetched: tuple[ModelStatus, ...] = ()
