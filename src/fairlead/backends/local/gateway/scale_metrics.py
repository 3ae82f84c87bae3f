"""What decides how many replicas components have, shown with the gateway's metrics: one place to scrape. The control
process knows it and tells; this end keeps the last it was told of each component."""

from collections.abc import Callable, Iterable, Iterator

from fairlead.backends.local.gateway.messages import ComponentScale, Scales
from fairlead.backends.local.gateway.metering import Key
from fairlead.protocols.exposition import Family, gauge

_GAUGES: tuple[tuple[str, str, Callable[[ComponentScale], float]], ...] = (
    ("desired", "Replicas that there should be.", lambda one: one.desired),
    ("ready", "Replicas that are ready.", lambda one: one.ready),
    ("panic", "Whether a burst decides (1) or the steady load (0).", lambda one: int(one.is_panicking)),
    ("stable_value", "The load, averaged over the stable window.", lambda one: one.stable),
    ("panic_value", "The load, averaged over the panic window.", lambda one: one.panic),
    ("target", "The load that one replica should have.", lambda one: one.target),
    ("excess_burst_capacity", "Requests there is room for beyond a burst.", lambda one: one.excess_burst),
)


class Board:
    """The last that was told of each component."""

    def __init__(self) -> None:
        self._scales: dict[Key, ComponentScale] = {}

    def show(self, told: Scales) -> None:
        """Take news; with `is_whole` they are all there is."""
        if told.is_whole:
            self._scales.clear()
        for one in told.components:
            self._scales[Key(one.kind, one.namespace, one.service, one.component)] = one
        for gone in told.gone:
            self._scales.pop(Key(*gone), None)

    def families(self, served: Iterable[Key]) -> Iterator[Family]:
        """As metrics, of the components that are served; none where nothing scales."""
        shown = [(key, self._scales[key]) for key in served if key in self._scales]
        for field, text, value in _GAUGES if shown else ():
            lines = ((key._asdict(), value(one)) for key, one in shown)
            yield gauge(f"fairlead_autoscaler_{field}", text, *lines)
