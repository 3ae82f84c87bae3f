"""The operator's own numbers, for Prometheus."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class Meter:
    """Names are documented in docs/kubernetes-operator.md."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    reconciles: Counter = field(init=False)
    durations: Histogram = field(init=False)
    calls: Counter = field(init=False)
    queued: Gauge = field(init=False)
    working: Gauge = field(init=False)
    leader: Gauge = field(init=False)
    objects: Gauge = field(init=False)
    restarts: Counter = field(init=False)

    def __post_init__(self) -> None:
        on = self.registry
        self.reconciles = Counter(
            "fairlead_operator_reconciles", "Reconciles by kind and how they ended", ["kind", "result"], registry=on
        )
        self.durations = Histogram(
            "fairlead_operator_reconcile_seconds", "How long reconciles took", ["kind"], buckets=_BUCKETS, registry=on
        )
        self.calls = Counter(
            "fairlead_operator_api_calls", "Calls of the Kubernetes API", ["verb", "code"], registry=on
        )
        self.queued = Gauge("fairlead_operator_queue_depth", "Objects that wait for a reconcile", registry=on)
        self.working = Gauge("fairlead_operator_reconciles_running", "Reconciles under way", registry=on)
        self.leader = Gauge("fairlead_operator_leader", "1 while this process is the leader", registry=on)
        self.objects = Gauge("fairlead_operator_cached_objects", "Objects of the cluster held in memory", registry=on)
        self.restarts = Counter("fairlead_operator_watch_restarts", "Times the watches were begun anew", registry=on)

    def called(self, verb: str, code: str) -> None:
        """One call of the API was answered."""
        self.calls.labels(verb=verb, code=code).inc()

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """One reconcile has ended."""
        self.reconciles.labels(kind=kind, result=result).inc()
        self.durations.labels(kind=kind).observe(seconds)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
