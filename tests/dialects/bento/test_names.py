"""Names that follow from tags are what Yatai makes of them, and always names that Kubernetes takes."""

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.dialects.bento.names import image_tag, label_value, parse_tag, request_name, runner_service

PART = st.from_regex(r"[a-z0-9]([-._a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("iris_classifier:v0.0.2", "iris-classifier--v-0-0-2"),
        ("iris:1", "iris--1"),
        ("a.b_c:2abc3", "a-b-c--2-abc-3"),
    ],
)
def test_a_tag_gives_its_request_a_name(tag: str, name: str) -> None:
    assert request_name(tag) == name


def test_a_tag_that_is_too_long_gives_its_hash() -> None:
    tag = f"{'x' * 40}:{'y' * 40}"

    assert request_name(tag) == f"bento-{hashlib.md5(tag.encode(), usedforsecurity=False).hexdigest()}"


@settings(max_examples=25)
@given(PART, PART)
def test_every_tag_gives_a_name_that_kubernetes_takes(name: str, version: str) -> None:
    made = request_name(f"{name}:{version}")

    assert LABEL.fullmatch(made)
    assert request_name(made) == made


@settings(max_examples=25)
@given(PART, PART, st.from_regex(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True), st.sampled_from(["", "p-", "d-"]))
def test_services_of_runners_have_names_of_their_own(name: str, version: str, deployment: str, kind: str) -> None:
    services = {runner_service(deployment, f"{name}:{version}", runner, kind=kind) for runner in ("a", "b")}

    assert len(services) == 2
    assert all(LABEL.fullmatch(one) for one in services)


@settings(max_examples=25)
@given(PART, PART, PART)
def test_tags_of_images_fit_a_registry(name: str, version: str, prefix: str) -> None:
    made = image_tag(parse_tag(f"{name}:{version}"), f"{prefix}.")

    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", made)


@settings(max_examples=25)
@given(st.text(alphabet="abcXYZ019-_.", min_size=1, max_size=200))
def test_values_of_labels_fit(text: str) -> None:
    assert len(label_value(text)) <= 63


def test_the_service_of_a_runner_is_yatais() -> None:
    assert runner_service("iris", "iris_classifier:gsb2nhd6tc4k", "iris_clf").startswith("iris-runner-")
    assert runner_service("d" * 60, "iris:1", "r").startswith("runner-")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("iris:", "contains trailing ':'"),
        ("", "its name must be"),
        ("-iris:1", "its name must be"),
        ("iris:a b", "its version must be"),
        ("x" * 64, "at most 63"),
    ],
)
def test_what_is_no_tag_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_tag(text)


def test_upper_case_is_lowered_and_latest_is_no_version() -> None:
    assert str(parse_tag("Iris:V1")) == "iris:v1"
    assert parse_tag("iris:latest").version == ""
