from typing import Any, Literal

import pytest
from pydantic import Field

from fairlead.dialects.podspec import Object, ObjectMeta, OpenObject
from fairlead.dialects.reading import Identity, problem, read_as
from fairlead.errors import InvalidManifest

IDENTITY = Identity("example.com", ("v1", "v2"), "Thing")


class Spec(Object):
    name: str = Field(default="", pattern="^[a-z]+$")
    text: str = Field(default="x", min_length=1, max_length=2)
    count: int = Field(default=1, ge=1, le=9)
    items: list[str] = Field(default_factory=lambda: ["a"], min_length=1)
    mode: Literal["on", "off", ""] = ""


class Thing(OpenObject):
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: Spec


def refused(spec: Any) -> list[str]:
    doc = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}
    with pytest.raises(InvalidManifest) as caught:
        read_as(Thing, doc, IDENTITY)
    return [f"{item.field}: {item.message}" for item in caught.value.problems]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"name": "A"}, 'spec.name: Invalid value: "A": must match ^[a-z]+$'),
        ({"text": ""}, 'spec.text: Invalid value: "": must be at least 1 characters long'),
        ({"text": "abc"}, 'spec.text: Invalid value: "abc": must be at most 2 characters long'),
        ({"count": 0}, "spec.count: Invalid value: 0: must be greater than or equal to 1"),
        ({"count": 10}, "spec.count: Invalid value: 10: must be less than or equal to 9"),
        ({"count": "1"}, 'spec.count: Invalid value: "1": must be of type integer, not string'),
        ({"items": []}, 'spec.items: Invalid value: "array": must have at least 1 items'),
        ({"mode": "maybe"}, 'spec.mode: Unsupported value: "maybe": supported values: "on", "off"'),
        (None, "spec: Required value"),
    ],
)
def test_a_field_that_is_wrong_says_what_would_be_right(spec: Any, said: str) -> None:
    assert refused(spec) == [said]


def test_all_mistakes_are_told_at_once_with_the_name_of_the_object() -> None:
    doc = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"count": 0, "text": ""}}

    with pytest.raises(InvalidManifest) as caught:
        read_as(Thing, doc, IDENTITY)

    assert str(caught.value).startswith('Thing.example.com "a" is invalid: [spec.text: ')
    assert len(caught.value.problems) == 2


def test_another_kind_or_version_is_refused_before_anything_else() -> None:
    with pytest.raises(InvalidManifest) as caught:
        read_as(Thing, {"apiVersion": "example.com/v3", "kind": "Other"}, IDENTITY)

    assert [item.field for item in caught.value.problems] == ["kind", "apiVersion"]
    assert '"example.com/v1", "example.com/v2"' in str(caught.value)


def test_problems_that_were_found_before_stop_the_reading() -> None:
    doc = {"apiVersion": "example.com/v2", "kind": "Thing", "spec": {}}

    with pytest.raises(InvalidManifest, match=r"spec\.deep: too deep"):
        read_as(Thing, doc, IDENTITY, [problem("spec.deep", "too deep")])
    assert read_as(Thing, doc, IDENTITY).spec.count == 1
