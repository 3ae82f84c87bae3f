from pathlib import Path

import pytest

from fairlead.dialects.catalog import Catalog, Entry
from fairlead.errors import ConfigError


@pytest.mark.parametrize(
    ("image", "runtime", "variant"),
    [
        ("seldonio/sklearnserver:1.18.2", "sklearn", ""),
        ("docker.io/seldonio/sklearnserver", "sklearn", ""),
        ("registry.example.com:5000/mirror/of/xgboostserver:9", "xgboost", ""),
        ("localhost/mlflowserver@sha256:abc", "mlflow", ""),
        ("seldonio/sklearnserver_rest:1.2.3", "sklearn", ""),
        ("seldonio/xgboostserver_grpc:1.2.3", "xgboost", ""),
        ("seldonio/mlserver:1.3.5-sklearn", "sklearn", "mlserver"),
        ("seldonio/mlserver:1.3.5-mlflow", "mlflow", "mlserver"),
        ("seldonio/mlserver:1.3.5-huggingface", "huggingface", "mlserver"),
        ("tensorflow/serving:2.1.0", "tensorflow", ""),
        ("seldonio/tfserving-proxy:1.18.2", "tensorflow", ""),
        ("nvcr.io/nvidia/tritonserver:21.08-py3", "triton", ""),
        ("seldonio/mock_classifier:1.5", "sample", "mock_classifier"),
        ("seldonio/mock_classifier_rest:1.3", "sample", "mock_classifier"),
        ("seldonio/fixed-model:0.1", "sample", "fixed-model:0.1"),
        ("seldonio/fixed-model:0.2", "sample", "fixed-model:0.2"),
        ("seldonio/echo-model:0.0.8", "sample", "echo-model"),
        ("seldonio/mab_epsilon_greedy:1.2", "sample", "mab_epsilon_greedy"),
    ],
)
def test_the_tail_of_an_image_decides_what_runs(image: str, runtime: str, variant: str) -> None:
    entry = Catalog().find(image)

    assert entry is not None
    assert (entry.runtime, entry.variant) == (runtime, variant)


@pytest.mark.parametrize(
    "image",
    ["", "acme/model:1", "seldonio/fixed-model:0.3", "seldonio/mlserver:1.3.5", "my-sklearnserver", "a/b/c"],
)
def test_an_image_that_nobody_knows_is_not_guessed(image: str) -> None:
    assert Catalog().find(image) is None


@pytest.mark.parametrize(
    ("image", "is_one"),
    [
        ("seldonio/rclone-storage-initializer:1.18.2", True),
        ("gcr.io/kfserving/storage-initializer:v0.4.0", True),
        ("acme/storage-initializer-not:1", False),
        ("", False),
    ],
)
def test_storage_initializers_are_known_by_their_name(image: str, is_one: bool) -> None:
    assert Catalog().is_storage_initializer(image) is is_one


def test_a_users_entry_beats_the_builtin_one() -> None:
    catalog = Catalog.from_config({"images": {"seldonio/fixed-model": {"class": "FixedModel"}}}, Path("/etc/x"))

    assert catalog.find("quay.io/seldonio/fixed-model:0.1") == Entry(runtime="python", target="FixedModel")


def test_an_entry_with_a_tag_is_more_specific() -> None:
    classes = {"acme/m": "Any", "acme/m:2": "Two", "m:2": "Short", "other/acme/m": "Long"}
    catalog = Catalog.from_config({"images": {image: {"class": name} for image, name in classes.items()}}, Path("/"))
    asked = ("acme/m:1", "acme/m:2", "elsewhere/m:2", "x.io/other/acme/m", "m")

    found = {image: catalog.find(image) for image in asked}

    assert {image: entry and entry.target for image, entry in found.items()} == {
        "acme/m:1": "Any",
        "acme/m:2": "Two",
        "elsewhere/m:2": "Short",
        "x.io/other/acme/m": "Long",
        "m": None,
    }


def test_an_entry_of_the_file_is_read_with_its_folder_and_variables() -> None:
    config = {
        "images": {
            "acme/a": {"class": "pkg.mod.Model", "path": "models/", "env": {"A": "1"}},
            "acme/b": {"command": ["serve", "--fast"], "path": "/abs"},
        }
    }

    catalog = Catalog.from_config(config, Path("/home/me/.fairlead"))

    assert catalog.find("acme/a") == Entry(
        runtime="python", target="pkg.mod.Model", path="/home/me/.fairlead/models", env=(("A", "1"),)
    )
    assert catalog.find("acme/b") == Entry(runtime="command", command=("serve", "--fast"), path="/abs")


def test_servers_are_classes_commands_or_images() -> None:
    servers = {
        "A_SERVER": {"class": "A", "image": "acme/a:1"},
        "B_SERVER": {"image": "acme/sklearnserver:2"},
        "C_SERVER": {"image": "acme/c:3"},
    }

    catalog = Catalog.from_config({"servers": servers, "default_env_secret": "rclone"}, Path("/"))

    assert catalog.default_env_secret == "rclone"
    assert catalog.servers == {
        "A_SERVER": Entry(runtime="python", target="A", image="acme/a:1"),
        "B_SERVER": Entry(runtime="sklearn", image="acme/sklearnserver:2"),
        "C_SERVER": Entry(runtime="container", image="acme/c:3"),
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"images": []}, r"\[images\] must be a table"),
        ({"images": {"a": "B"}}, r'\[images."a"\] must be a table with class, path, env, command'),
        ({"images": {"a": {"klass": "B"}}}, r"unknown key 'klass'; accepted: class, path, env, command"),
        ({"images": {"a": {}}}, "needs either class"),
        ({"images": {"a": {"class": "B", "command": ["c"]}}}, "needs either class"),
        ({"images": {"a": {"class": "not a class"}}}, 'class must be "Module" or'),
        ({"images": {"a": {"class": 7}}}, 'class must be "Module" or'),
        ({"images": {"a": {"command": "serve"}}}, "command must be a list of text"),
        ({"images": {"a": {"command": []}}}, "command must be a list of text"),
        ({"images": {"a": {"class": "B", "env": {"X": 1}}}}, "env must be a table of text"),
        ({"images": {"a": {"class": "B", "path": 1}}}, "path must be a folder's name"),
        ({"servers": {"S": {}}}, r"\[servers.S\] needs image, class, path, env, command"),
        ({"servers": {"S": {"image": 1}}}, "image must be text"),
        ({"servers": {"S": "image"}}, "must be a table"),
        ({"default_env_secret": 1}, "default_env_secret must be text"),
    ],
)
def test_a_mistake_in_the_file_says_what_is_accepted(config: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Catalog.from_config(config, Path("/"))
