"""Builders that are looked for: the first that works, and why each of the others does not."""

import asyncio
from pathlib import Path

import pytest

from fairlead.errors import ConfigError
from fairlead.images.builders.detecting import find_builder
from fairlead.images.failures import NoBuilder
from support.image_builders import stand_ins

NEW_DOCKER = """
case "$1 $2" in
  "buildx inspect") printf 'Name: default\\nDriver: %s\\n' "$DRIVER"; exit "$BUILDX";;
  "version --format") echo "$CLIENT 28.0"; exit 0;;
esac
"""


def found(env: dict[str, str], *, wanted: str = "", is_pushed: bool = True) -> str:
    return asyncio.run(find_builder(env, wanted=wanted, is_pushed=is_pushed)).name


def docker(tmp_path: Path, *, client: str = "28.2", buildx: int = 1, driver: str = "docker") -> dict[str, str]:
    script = f"CLIENT={client}; BUILDX={buildx}; DRIVER={driver}\n{NEW_DOCKER}"
    return stand_ins(tmp_path, {"docker": script, "buildah": "exit 0"})


def test_a_running_buildkit_comes_first(tmp_path: Path) -> None:
    env = stand_ins(tmp_path, {"buildctl": "exit 0", "docker": "exit 0", "buildah": "exit 0"})

    assert found(env) == "BuildKit"


def test_buildkit_without_a_push_is_passed_over_because_it_keeps_no_images(tmp_path: Path) -> None:
    env = stand_ins(tmp_path, {"buildctl": "exit 0", "buildah": "exit 0"})

    assert found(env, is_pushed=False) == "buildah"


@pytest.mark.parametrize(
    ("driver", "name"),
    [("docker", "docker buildx"), ("docker-container", "docker buildx with a builder of its own")],
)
def test_buildx_comes_before_dockers_own_builder(driver: str, name: str, tmp_path: Path) -> None:
    assert found(docker(tmp_path, buildx=0, driver=driver)) == name


@pytest.mark.parametrize(("client", "name"), [("28.2", "docker"), ("20.10.24", "docker with BuildKit")])
def test_docker_without_buildx_builds_as_its_client_can(client: str, name: str, tmp_path: Path) -> None:
    assert found(docker(tmp_path, client=client)) == name


def test_a_client_without_its_daemon_builds_nothing(tmp_path: Path) -> None:
    env = stand_ins(tmp_path, {"buildctl": "exit 1", "docker": "exit 1", "buildah": "exit 0"})

    assert found(env) == "buildah"


def test_with_none_there_it_is_said_what_is_missing_of_each(tmp_path: Path) -> None:
    with pytest.raises(NoBuilder) as caught:
        found(stand_ins(tmp_path, {"docker": "exit 1"}))

    told = str(caught.value)
    assert "no buildctl" in told
    assert "docker: no daemon answers (DOCKER_HOST)" in told
    assert "buildah: not installed" in told


def test_one_that_is_asked_for_is_taken_or_refused(tmp_path: Path) -> None:
    env = stand_ins(tmp_path, {"buildctl": "exit 0", "buildah": "exit 0"})

    assert found(env, wanted="buildah") == "buildah"
    with pytest.raises(NoBuilder, match="docker: not installed"):
        found(env, wanted="docker")
    with pytest.raises(ConfigError, match="there are buildkit, docker, buildah"):
        found(env, wanted="kaniko")
