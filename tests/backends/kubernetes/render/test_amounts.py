from typing import Any

import pytest

from fairlead.backends.kubernetes.render.amounts import with_written_amounts


def limits(**amounts: Any) -> Any:
    spec = {"containers": [{"name": "c", "resources": {"limits": amounts, "claims": [{"name": "x"}]}}]}
    return with_written_amounts(spec)["containers"][0]["resources"]


@pytest.mark.parametrize(
    ("written", "text"),
    [(1, "1"), (0.5, "0.5"), (2.0, "2"), (2**40, "1099511627776"), ("1Gi", "1Gi"), (1e9, "1000000000")],
)
def test_an_amount_is_text_of_the_same_worth(written: Any, text: str) -> None:
    assert limits(cpu=written) == {"limits": {"cpu": text}, "claims": [{"name": "x"}]}


@pytest.mark.parametrize("spec", [{}, {"containers": None}, {"containers": [{"resources": "much"}]}])
def test_what_is_no_pod_stays_as_it_is(spec: dict[str, Any]) -> None:
    assert with_written_amounts(spec) == spec


def test_a_pods_overhead_is_text_too() -> None:
    assert with_written_amounts({"overhead": {"cpu": 1}}) == {"overhead": {"cpu": "1"}}
