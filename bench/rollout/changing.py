"""The ways to change an InferenceService that is asked all the time, one after the other."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from bench.installation import Client
from bench.rollout.services import SERVICES, is_ready, manifest, patch, pods_of, shares, wait, wait_for

KNATIVE, STANDARD = "iris", "flower"
_STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}
_NOWHERE = "file:///nowhere/at/all"


class Step(NamedTuple):
    """One change: its name in the picture, and what makes it and waits until it has come about."""

    name: str
    do: Callable[[], None]


class Changes:
    """`uris` are models that answer with their numbers."""

    def __init__(self, control: Client, uris: Mapping[int, str]) -> None:
        self._control, self._uris = control, uris
        self._revisions = 1

    def create(self) -> None:
        """Both services, with model 1."""
        self._control.must("POST", SERVICES, manifest(KNATIVE, self._uris[1]))
        self._control.must("POST", SERVICES, manifest(STANDARD, self._uris[1], annotations=_STANDARD))
        for name in (KNATIVE, STANDARD):
            wait_for(self._control, name, is_ready)

    def of_knative_mode(self) -> Iterator[Step]:
        """With revisions."""
        yield Step("new revision", lambda: self._revise(2))
        yield Step("canary 10 %", lambda: self._canary(1, 10))
        yield Step("50 %", lambda: self._share(50))
        yield Step("promoted", self._promote)
        yield Step("rolled back", lambda: self._share(0))
        yield Step("forward", self._promote)
        yield Step("failing revision", self._fail)
        yield Step("mended", lambda: self._revise(2))
        yield Step("two replicas", lambda: self._least(2))
        yield Step("one replica", lambda: self._least(1))

    def of_standard_mode(self) -> Iterator[Step]:
        """With named predictors."""
        yield Step("new model", lambda: self._replace(2))
        yield Step("canary 50 %", lambda: self._canary_beside(1))
        yield Step("promoted", lambda: self._promote_beside(1))
        yield Step("two replicas", lambda: self._replicas(2))
        yield Step("one replica", lambda: self._replicas(1))

    def _model(self, number: int) -> dict[str, Any]:
        return {"modelFormat": {"name": "sklearn"}, "storageUri": self._uris[number]}

    def _newest(self) -> str:
        return f"{self._revisions:05}"

    def _predictor(self, **fields: Any) -> None:
        patch(self._control, KNATIVE, {"predictor": fields})

    def _has_shares(self, **wanted: int) -> None:
        expected = {name.removeprefix("r"): percent for name, percent in wanted.items()}
        wait_for(self._control, KNATIVE, lambda status: shares(status) == expected)

    def _revise(self, number: int) -> None:
        self._revisions += 1
        self._predictor(model=self._model(number))
        self._has_shares(**{f"r{self._newest()}": 100})

    def _canary(self, number: int, percent: int) -> None:
        before = self._newest()
        self._revisions += 1
        self._predictor(model=self._model(number), canaryTrafficPercent=percent)
        self._has_shares(**{f"r{self._newest()}": percent, f"r{before}": 100 - percent})

    def _share(self, percent: int) -> None:
        self._predictor(canaryTrafficPercent=percent)
        wait_for(self._control, KNATIVE, lambda status: shares(status).get(self._newest()) == percent)

    def _promote(self) -> None:
        self._predictor(canaryTrafficPercent=None)
        self._has_shares(**{f"r{self._newest()}": 100})

    def _fail(self) -> None:
        self._revisions += 1
        self._predictor(model={"modelFormat": {"name": "sklearn"}, "storageUri": _NOWHERE})
        wait_for(
            self._control,
            KNATIVE,
            lambda status: status.get("modelStatus", {}).get("transitionStatus") == "BlockedByFailedLoad",
        )

    def _least(self, replicas: int) -> None:
        self._revisions += 1
        self._predictor(minReplicas=replicas, maxReplicas=replicas)
        self._has_shares(**{f"r{self._newest()}": 100})
        wait(lambda: pods_of(self._control, KNATIVE) == replicas, what=f"{replicas} replicas")

    def _replace(self, number: int) -> None:
        patch(self._control, STANDARD, {"predictor": {"model": self._model(number)}})
        self._is_settled()

    def _canary_beside(self, number: int) -> None:
        canary = {"predictor": {"name": "second", "model": self._model(number)}, "trafficPercent": 50}
        patch(self._control, STANDARD, {"canary": [canary]})
        self._is_settled(2)

    def _promote_beside(self, number: int) -> None:
        patch(self._control, STANDARD, {"canary": None, "predictor": {"name": "second", "model": self._model(number)}})
        self._is_settled()

    def _replicas(self, count: int) -> None:
        patch(self._control, STANDARD, {"predictor": {"minReplicas": count}})
        self._is_settled(count)

    def _is_settled(self, replicas: int = 1) -> None:
        """Ready, with what was there before gone."""
        document: dict[str, Any] = self._control.read(f"{SERVICES}/{STANDARD}")
        generation = document["metadata"]["generation"]
        wait_for(
            self._control,
            STANDARD,
            lambda status: is_ready(status) and status.get("observedGeneration", 0) >= generation,
        )
        wait(lambda: pods_of(self._control, STANDARD) == replicas, what=f"{replicas} replicas of {STANDARD}")


def rest() -> None:
    """Some seconds in which nothing changes, for the picture."""
    time.sleep(1.0)
