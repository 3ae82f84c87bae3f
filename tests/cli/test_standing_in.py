"""Arguments that were written for other images."""

import pytest

from fairlead.cli.standing_in import meant


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("--sdep iris --namespace team --predictor default --http_port 8000", "engine"),
        ("--graph-json {}", "router"),
        ("--enable-batcher --component-port 8080", "agent"),
        ("--log-url=http://sink --component-port=8080", "agent"),
        ("--model_name=iris --model_dir=/mnt/models --http_port=8080", "model-server"),
        ("--model_id=owner/model", "model-server"),
        ("s3://bucket/model /mnt/models", "storage-initializer"),
        ("s3:bucket/model /mnt/models", "storage-initializer"),
        ("/mnt/pvc/model /mnt/models hf://a/b /mnt/models/b", "storage-initializer"),
    ],
)
def test_the_shape_says_whose_place_it_is(words: str, command: str) -> None:
    assert meant(words.split(), {}) == [command, *words.split()]


@pytest.mark.parametrize(
    ("words", "form"),
    [
        (["--port=9000", "--rest_api_port=8080", "--model_base_path=/mnt/models"], "tensorflow"),
        (["torchserve", "--start", "--model-store=/mnt/models/model-store"], "pytorch"),
        (["tritonserver", "--model-store=/mnt/models"], "triton"),
    ],
)
def test_other_servers_are_told_by_their_flags(words: list[str], form: str) -> None:
    assert meant(words, {})[:2] == ["model-server", f"--format={form}"]


@pytest.mark.parametrize(
    ("variable", "command"),
    [("ENGINE_PREDICTOR", "engine"), ("MLSERVER_MODEL_IMPLEMENTATION", "model-server")],
)
def test_without_arguments_the_variables_say_it(variable: str, command: str) -> None:
    assert meant([], {variable: "x"}) == [command]
    assert meant([], {}) == []


@pytest.mark.parametrize(
    "words",
    [["version"], ["--help"], ["--version"], ["apply", "-f", "x.yaml"], ["diff", "a"], ["serve", "/mnt/models"]],
)
def test_commands_of_ours_stay_what_they_are(words: list[str]) -> None:
    assert meant(words, {}) == words
