"""Dockerfiles on another base, and with packages from another index."""

import pytest

from fairlead.images.contexts.dockerfile import PackageIndex, index_of, with_base, with_index

BENTO = """\
FROM python:3.11-slim AS base-container
ENV A=1
RUN if command -v pip; then \\
    pip install uv; \\
    # a remark inside
    fi
RUN <<END
RUN is a word here
END
FROM base-container
RUN true
FROM --platform=linux/amd64 python:3.11-slim
run echo
"""


def test_the_first_stages_image_is_replaced_wherever_it_stands() -> None:
    lines = with_base(BENTO, "registry.example/python:3").splitlines()

    assert [line for line in lines if line.startswith("FROM")] == [
        "FROM registry.example/python:3 AS base-container",
        "FROM base-container",
        "FROM --platform=linux/amd64 registry.example/python:3",
    ]


def test_a_stage_that_is_called_like_the_image_stays() -> None:
    text = "FROM python AS python\nFROM python\n"

    assert with_base(text, "other") == "FROM other AS python\nFROM python\n"


def test_without_a_base_or_an_index_nothing_changes() -> None:
    assert with_base(BENTO, "") == BENTO
    assert with_index(BENTO, PackageIndex()) == BENTO


def test_an_index_is_an_argument_of_every_stage() -> None:
    lines = with_index(BENTO, PackageIndex(url="https://index.example/simple")).splitlines()

    assert lines.count("ARG PIP_INDEX_URL") == lines.count("ARG UV_DEFAULT_INDEX") == 3
    assert "index.example" not in "".join(lines)


def test_an_index_with_a_password_is_a_file_that_steps_see() -> None:
    index = PackageIndex(url="https://me:hush@index.example/simple", extra_urls=("https://more.example",))

    text = with_index(BENTO, index)
    mounted = [line for line in text.splitlines() if "--mount=type=secret" in line]

    assert [line.split()[0] + " " + line.split()[3] for line in mounted] == [
        "RUN if",
        "RUN <<END",
        "RUN true",
        "run echo",
    ]
    assert "hush" not in text
    assert "RUN is a word here" in text.splitlines()
    assert "index-url = https://me:hush@index.example/simple" in index.files["fairlead-pip"]
    assert 'url = "https://me:hush@index.example/simple"\ndefault = true' in index.files["fairlead-uv"]


@pytest.mark.parametrize("url", ["https://index.example/simple", "", "https://index.example:8080/simple"])
def test_an_address_alone_is_no_secret(url: str) -> None:
    assert not PackageIndex(url=url).files


def test_pips_variables_name_the_index_but_folders_of_this_machine_do_not_count() -> None:
    index = index_of(
        {"PIP_INDEX_URL": "https://a.example", "PIP_EXTRA_INDEX_URL": "file:///opt/pypi https://b.example"}
    )

    assert (index.url, index.extra_urls) == ("https://a.example", ("https://b.example",))
