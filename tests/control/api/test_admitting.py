"""What the rules of a dialect refuse reads as a refusal by its webhook."""

from typing import Any

import pytest

from fairlead.control.api.admitting import admit
from fairlead.control.api.kinds import resources_of
from fairlead.dialects.base import Kind
from fairlead.errors import InvalidManifest, Problem, Where

KIND = Kind(group="example.com", versions=("v1",), kind="Thing", plural="things", singular="thing")
NAMED = Kind(
    group="example.com", versions=("v1",), kind="Other", plural="others", singular="other", webhook="other.validator"
)


def refused(kind: Kind) -> InvalidManifest:
    def admission(_operation: str, _kind: Kind, _new: dict[str, Any], _old: dict[str, Any] | None) -> dict[str, Any]:
        problem = Problem(where=Where(path="spec.x"), message="must be 1", field="spec.x", value="2")
        raise InvalidManifest([problem], message="x must be 1")

    resource = resources_of((kind,), lambda _: {"type": "object"}).find(kind.group, "v1", kind.plural)
    document = {"apiVersion": "example.com/v1", "kind": kind.kind, "metadata": {"name": "a", "namespace": "b"}}
    with pytest.raises(InvalidManifest) as caught:
        admit(resource, document, None, admission)
    return caught.value


@pytest.mark.parametrize(("kind", "webhook"), [(KIND, "v1.vthing.kb.io"), (NAMED, "other.validator")])
def test_a_refusal_names_the_webhook_of_its_kind(kind: Kind, webhook: str) -> None:
    assert str(refused(kind)) == f'admission webhook "{webhook}" denied the request: x must be 1'


def test_a_cause_repeats_the_value() -> None:
    (problem,) = refused(KIND).problems

    assert (problem.field, problem.message) == ("spec.x", 'Invalid value: "2": must be 1')
