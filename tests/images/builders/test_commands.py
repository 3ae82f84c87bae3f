"""What BuildKit's clients are told, which no test here can ask: the words that its documentation names."""

import asyncio
from pathlib import Path

import pytest

from fairlead.images.access import Access
from fairlead.images.builders.base import Order
from fairlead.images.builders.buildctl import DAEMONLESS, Buildctl
from fairlead.images.builders.docker import Docker, Way
from fairlead.images.builders.scratch import scratch
from fairlead.images.failures import BuildFailed


def order(tmp_path: Path, *, is_pushed: bool = True, insecure: frozenset[str] = frozenset()) -> Order:
    return Order(
        image="registry.example/acme/iris:1",
        context=tmp_path,
        dockerfile=tmp_path / "env" / "Dockerfile",
        build_args={"B": "2", "A": "1"},
        secrets={"word": tmp_path / "word"},
        labels={"team": "blue"},
        access=Access(insecure=insecure),
        platform="linux/arm64",
        is_pushed=is_pushed,
        is_fresh=True,
        epoch=1_700_000_000,
    )


def test_buildctl_builds_and_pushes_with_every_time_the_same(tmp_path: Path) -> None:
    with scratch() as own:
        argv = Buildctl(environ={}, program=DAEMONLESS).build_command(order(tmp_path), own, "type=image,push=true")

    words = " ".join(argv)
    assert argv[:2] == ["buildctl-daemonless.sh", "build"]
    assert f"--local context={tmp_path} --local dockerfile={tmp_path / 'env'} --opt filename=Dockerfile" in words
    assert "--opt build-arg:SOURCE_DATE_EPOCH=1700000000 --opt build-arg:A=1 --opt build-arg:B=2" in words
    assert "--opt label:team=blue --opt platform=linux/arm64" in words
    assert f"--secret id=word,src={tmp_path / 'word'} --no-cache --output type=image,push=true" in words


def test_buildctl_refuses_to_make_what_nobody_could_run(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="keeps no images on this machine"):
        asyncio.run(Buildctl(environ={}).build(order(tmp_path, is_pushed=False), print))


@pytest.mark.parametrize(
    ("is_pushed", "insecure", "output"),
    [
        (True, False, "type=image,name=registry.example/acme/iris:1,push=true,rewrite-timestamp=true"),
        (True, True, "push=true,rewrite-timestamp=true,registry.insecure=true"),
        (False, False, "type=docker,name=registry.example/acme/iris:1,rewrite-timestamp=true"),
    ],
)
def test_a_builder_of_buildx_writes_times_anew(is_pushed: bool, insecure: bool, output: str, tmp_path: Path) -> None:
    hosts = frozenset({"registry.example"} if insecure else ())
    with scratch() as own:
        asked = order(tmp_path, is_pushed=is_pushed, insecure=hosts)
        argv = Docker(way=Way.ELSEWHERE, environ={}).build_command(asked, own)

    assert argv[:3] == ["docker", "buildx", "build"]
    assert "--provenance=false" in argv
    assert argv[argv.index("--output") + 1].endswith(output)


def test_dockers_own_builder_is_told_nothing_that_it_does_not_know(tmp_path: Path) -> None:
    with scratch() as own:
        argv = Docker(way=Way.CLASSIC, environ={}).build_command(order(tmp_path), own)

    assert argv[:2] == ["docker", "build"]
    assert not {"--progress", "--provenance=false", "--output"} & set(argv)
