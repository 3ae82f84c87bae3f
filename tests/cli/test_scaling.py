"""Why there are so many replicas, out of Events."""

from typing import Any

from fairlead.cli import scaling


def event(reason: str, message: str, at: str = "12s") -> dict[str, Any]:
    return {"reason": reason, "message": message, "lastTimestamp": at}


def lines(*events: dict[str, Any]) -> list[str]:
    return list(scaling.lines(events, age=lambda one: str(one["lastTimestamp"])))


def test_the_newest_change_of_each_component_says_why() -> None:
    told = lines(
        event("Activated", "predictor-00001: 0 -> 1 replicas: a request arrived; 1 concurrent requests", "60s"),
        event("ScaledUp", "predictor-00001: 1 -> 3 replicas: 150 concurrent requests over 60 s ask for 3"),
        event("ScaledToZero", "transformer-00001: 1 -> 0 replicas: The target is not receiving traffic.", "5m"),
        event("Ready", "predictor-00001: 3 of 3 replicas are ready"),
    )
    assert told == [
        "predictor-00001: 3 replicas since 12s: 150 concurrent requests over 60 s ask for 3",
        "transformer-00001: 0 replicas since 5m: The target is not receiving traffic.",
    ]


def test_one_replica_is_one() -> None:
    (told,) = lines(event("ScaledDown", "predictor: 2 -> 1 replicas: cpu 3 % per replica of 80 % asks for 1"))
    assert told == "predictor: 1 replica since 12s: cpu 3 % per replica of 80 % asks for 1"


def test_other_events_say_nothing_of_it() -> None:
    assert lines(event("TimedOut", "the gateway did not answer"), event("Ready", "a: 0 -> 1 replicas: x")) == []
