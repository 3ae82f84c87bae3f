"""What people read of an InferenceService's requests."""

from fairlead.cli import traffic


def test_a_canary_is_told_with_its_shares_and_where_the_old_one_is() -> None:
    status = {
        "url": "http://iris.default.localhost:8080",
        "modelStatus": {"copies": {"totalCopies": 2, "failedCopies": 1}},
        "components": {
            "predictor": {
                "traffic": [
                    {"revisionName": "iris-predictor-00002", "latestRevision": True, "percent": 10},
                    {"revisionName": "iris-predictor-00001", "percent": 90, "tag": "prev", "url": "http://prev-iris"},
                ]
            }
        },
    }

    assert list(traffic.lines(status)) == [
        ("URL", "http://iris.default.localhost:8080"),
        ("Replicas", "2 ready, 1 failed"),
        (
            "Traffic",
            "predictor: iris-predictor-00002 10 %, iris-predictor-00001 90 % (the one before: http://prev-iris)",
        ),
    ]


def test_a_canary_that_is_not_ready_gets_nothing_yet() -> None:
    status = {"canaryStatuses": [{"name": "second", "ready": False, "trafficPercent": 20}]}

    assert list(traffic.lines(status)) == [("Canary", "second: 20 % (not ready: gets nothing yet)")]


def test_a_status_of_another_kind_has_no_such_lines() -> None:
    assert list(traffic.lines({"state": "Available", "replicas": 1})) == []
