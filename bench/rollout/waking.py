"""Services that go to zero while nobody asks, and crowds that come all at once."""

import time
from collections.abc import Sequence
from typing import Any

from bench.installation import Client
from bench.rollout.asking import Crowd, Sample, asking, predict_path
from bench.rollout.services import SERVICES, is_ready, manifest, pods_of, settings, wait, wait_for

_WINDOW = {"autoscaling.knative.dev/window": "6s"}
_BURST_S = 1.5
_MOST = 4


def create(control: Client, uri: str, names: Sequence[str]) -> None:
    """Services that go to zero as soon as may be."""
    settings(control, scale_to_zero_grace_period="6s")
    for name in names:
        control.must("POST", SERVICES, manifest(name, uri, annotations=_WINDOW, minReplicas=0))
    for name in names:
        wait_for(control, name, is_ready)


def wake(control: Client, url: str, names: Sequence[str], *, connections: int) -> list[Sample]:
    """Wait until they are at zero; then everybody comes at once."""
    wait(lambda: not any(pods_of(control, name) for name in names), what=f"{names} at zero")
    crowds = [Crowd(service=name, path=predict_path(name), connections=connections) for name in names]
    with asking(url, *crowds) as clients:
        time.sleep(_BURST_S)
    return clients.samples


def burst(control: Client, url: str, uri: str) -> tuple[list[Sample], list[tuple[float, int]]]:
    """From one replica that does one request at a time to several, with the replicas there were when."""
    document = manifest("narrow", uri, annotations=_WINDOW, minReplicas=1, maxReplicas=_MOST, containerConcurrency=1)
    control.must("POST", SERVICES, document)
    wait_for(control, "narrow", is_ready)
    ready: list[tuple[float, int]] = []
    with asking(url, Crowd(service="narrow", path=predict_path("narrow"), connections=8)) as clients:

        def has_all() -> bool:
            ready.append((clients.now_s(), _ready(control, "narrow")))
            return ready[-1][1] == _MOST

        wait(has_all, what=f"{_MOST} replicas")
        time.sleep(_BURST_S)
        ready.append((clients.now_s(), _ready(control, "narrow")))
    return clients.samples, ready


def _ready(control: Client, name: str) -> int:
    pods: list[dict[str, Any]] = control.read("/api/v1/namespaces/default/pods")["items"]
    own = [pod for pod in pods if pod["metadata"]["labels"].get("fairlead.dev/service") == name]
    return sum(
        one["type"] == "Ready" and one["status"] == "True"
        for pod in own
        for one in pod.get("status", {}).get("conditions") or ()
    )
