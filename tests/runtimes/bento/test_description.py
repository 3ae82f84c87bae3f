"""What is read from `bento.yaml`: the files in `fixtures/bentos/described` were written by BentoML of five versions."""

from pathlib import Path

import pytest

from fairlead.plan.bentos import BentoStyle
from fairlead.runtimes.bento.description import BadBento, describe, read
from fairlead.runtimes.bento.values import Description

BENTOS = Path(__file__).parents[2] / "fixtures" / "bentos"
OLD, NEW = ("1.0.25", "1.1.11"), ("1.2.20", "1.3.22", "1.4.39")


def described(version: str) -> Description:
    return describe(BENTOS / "described" / version)


@pytest.mark.parametrize("version", [*OLD, *NEW])
def test_every_version_says_what_it_is(version: str) -> None:
    bento = described(version)

    assert (bento.name, bento.bentoml_version, bento.labels) == ("rich", version, (("a", "b"),))
    assert bento.packages.python_version == "3.10"
    assert [tag.partition(":")[0] for tag in bento.models] == ["offset"]
    assert [api.route for api in bento.apis] == ["/size"]
    assert bento.bentoml == tuple(map(int, version.split(".")))


@pytest.mark.parametrize("version", OLD)
def test_an_old_style_bento_has_runners(version: str) -> None:
    bento = described(version)

    assert bento.style is BentoStyle.OLD
    assert [(one.name, one.type, one.models) for one in bento.runners] == [
        ("offset", "PicklableRunnable", bento.models)
    ]
    assert bento.entry is None
    assert bento.image.env == (("GREETING", "hello"),)


@pytest.mark.parametrize("version", NEW)
def test_a_new_style_bento_has_services_and_begins_with_its_entry(version: str) -> None:
    bento = described(version)

    assert bento.style is BentoStyle.NEW
    assert [(one.name, one.dependencies) for one in bento.services] == [("Rich", ("Inner",)), ("Inner", ())]
    assert bento.services[0].config == {"traffic": {"concurrency": 8, "timeout": 5}}
    assert bento.envs == (("GREETING", "hi"), ("HF_TOKEN", ""))


def test_streams_and_tasks_are_told_apart() -> None:
    schema = {
        "routes": [
            {"name": "count", "route": "/count", "output": {"is_stream": True}},
            {"name": "later", "route": "/later", "is_task": True},
        ]
    }
    bento = read({"name": "b", "version": "v", "service": "s:S", "bentoml_version": "1.4.39", "schema": schema})

    assert [(api.name, api.is_stream, api.is_task) for api in bento.apis] == [
        ("count", True, False),
        ("later", False, True),
    ]


def test_facts_name_the_models_that_a_bento_does_not_bring(tmp_path: Path) -> None:
    bento = described("1.1.11")
    (tag,) = bento.models

    assert bento.facts(tmp_path).models == (tag,)
    (tmp_path / "models" / tag.replace(":", "/")).mkdir(parents=True)
    assert bento.facts(tmp_path).models == ()
    assert [one.name for one in bento.facts(tmp_path).runners] == ["offset"]


def test_models_of_the_hub_are_left_to_bentoml() -> None:
    models = [{"tag": "a:1"}, {"tag": "org--model:rev", "registry": "huggingface"}]
    bento = read({"name": "b", "version": "v", "service": "s", "bentoml_version": "1.4.39", "models": models})

    assert bento.models == ("a:1",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n", "holds no mapping"),
        ("name: b\n", "has no version"),
        ("name: [\n", "cannot be read"),
        ("name: b\nversion: v\nservice: s\nbentoml_version: '1'\nservices: [{name: A}]\n", "entry service ''"),
    ],
)
def test_what_is_no_bento_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bento.yaml").write_text(text)

    with pytest.raises(BadBento, match=words):
        describe(tmp_path)


def test_a_folder_without_a_description_is_no_bento(tmp_path: Path) -> None:
    with pytest.raises(BadBento, match=r"no bento\.yaml"):
        describe(tmp_path)


def test_what_is_missing_or_of_another_kind_counts_as_not_there() -> None:
    odd = {"models": 3, "runners": "x", "apis": [1], "docker": [], "image": "", "python": None, "envs": {}, "labels": 2}
    bento = read({"name": "b", "version": "v", "service": "s", "bentoml_version": "main", **odd})

    assert (bento.models, bento.runners, bento.apis, bento.envs, bento.labels) == ((), (), (), (), ())
    assert bento.bentoml == ()
