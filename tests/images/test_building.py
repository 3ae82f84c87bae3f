"""Images of bentos as a plan asks for them, made by buildah and told of step by step."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fairlead.dialects.bento.image_places import ImagePlace, host_of, image_of
from fairlead.dialects.bento.names import image_tag, parse_tag
from fairlead.errors import StorageError
from fairlead.images.building import BentoImages, ImageSettings, log_name
from fairlead.images.failures import BuildFailed, NoBuilder
from fairlead.plan.bentos import ImageBuild, ImageState, ImageStatus
from support.image_builders import DOCKERFILE, buildah_env, small_bento, stand_ins
from support.registry import Registry, registry

TAG = image_tag(parse_tag("sums:v1"))


@dataclass
class Told:
    """What a back-end hears of an image."""

    statuses: list[ImageStatus] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def states(self) -> list[ImageState]:
        return [one.state for one in self.statuses]


def have(images: BentoImages, build: ImageBuild, bento: Path, told: Told, credentials: str = "") -> ImageStatus | None:
    call = images.have(build, bento, {}, say=told.lines.append, report=told.statuses.append, credentials=credentials)
    return asyncio.run(call)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry"), is_private=True) as served:
        yield served


@pytest.mark.parametrize(
    "server",
    [
        "docker.io",
        "https://index.docker.io/v1/",
        "registry-1.docker.io",
        "Docker.io",
        "https://registry.hub.docker.com",
    ],
)
def test_the_hub_has_one_name(server: str) -> None:
    assert host_of(server) == "docker.io"


def test_an_image_is_named_as_yatai_does_unless_the_plan_names_it() -> None:
    place = ImagePlace(server="https://r.example:5000/team/", in_cluster_server="inside:5000")
    images = BentoImages(settings=ImageSettings(place=place))

    assert images.name_of(ImageBuild(name="", tag=TAG)) == "r.example:5000/team/yatai-bentos:yatai.sums.v1"
    assert images.name_of(ImageBuild(name="mine:1", tag=TAG)) == "mine:1"
    assert BentoImages().name_of(ImageBuild(name="", tag=TAG)) == ""
    assert image_of(TAG, place).pushed_as == "inside:5000/yatai-bentos:yatai.sums.v1"
    assert log_name("sums--v-1") == "yatai-bento-image-builder-sums--v-1"


def test_without_a_name_and_a_registry_nothing_is_made(tmp_path: Path) -> None:
    told = Told()

    assert have(BentoImages(), ImageBuild(name="", tag=TAG), tmp_path, told) is None
    assert told.statuses == []


def test_without_a_builder_a_named_image_fails_and_one_of_the_installation_is_left_out(tmp_path: Path) -> None:
    env = stand_ins(tmp_path, {})
    place = ImagePlace(server="127.0.0.1:1")
    told = Told()

    with registry(tmp_path / "registry") as served:
        place = ImagePlace(server=served.host)
        images = BentoImages(settings=ImageSettings(place=place), environ=env)
        assert have(images, ImageBuild(name="", tag=TAG), tmp_path, Told()) is None
        with pytest.raises(NoBuilder):
            have(images, ImageBuild(name=f"{served.host}/a:1", tag=TAG), tmp_path, told)

    assert told.statuses[-1].reason == "NoImageBuilder"
    assert "buildah: not installed" in told.statuses[-1].message


@pytest.mark.slow(6)
def test_an_image_is_made_with_the_plans_login_and_told_of(place: Registry, tmp_path: Path) -> None:
    env = buildah_env(tmp_path)
    settings = ImageSettings(place=ImagePlace(server=place.host), builder="buildah")
    images, told, again = BentoImages(settings=settings, environ=env), Told(), Told()
    bento = small_bento(tmp_path / "bento")
    name = f"{place.host}/yatai-bentos:yatai.sums.v1"

    first = have(images, ImageBuild(name="", tag=TAG), bento, told, place.config())
    second = have(images, ImageBuild(name="", tag=TAG), bento, again, place.config())

    assert first == second == ImageStatus(name=name, state=ImageState.PRESENT)
    assert told.states == [ImageState.CHECKING, ImageState.ABSENT, ImageState.BUILDING, ImageState.PRESENT]
    assert any("echo hello" in line for line in told.lines)
    assert again.states == [ImageState.CHECKING, ImageState.PRESENT]


@pytest.mark.slow(3)
def test_what_failed_is_in_the_status_with_its_step(place: Registry, tmp_path: Path) -> None:
    images = BentoImages(settings=ImageSettings(builder="buildah"), environ=buildah_env(tmp_path))
    bento = small_bento(tmp_path / "bento", DOCKERFILE.replace("echo hello", "cat /nowhere"))
    build = ImageBuild(name=f"{place.host}/acme/broken:1", tag=TAG)
    told, refused = Told(), Told()

    with pytest.raises(BuildFailed):
        have(images, build, bento, told, place.config())
    with pytest.raises(StorageError):
        have(images, build, bento, refused, place.config(password="not-the-password"))

    assert told.statuses[-1].state is ImageState.FAILED
    assert told.statuses[-1].reason == "ImageBuildFailed"
    assert "step 3/4: RUN cat /nowhere" in told.statuses[-1].message
    assert refused.states == [ImageState.CHECKING, ImageState.FAILED]
    assert "not-the-password" not in refused.statuses[-1].message


@pytest.mark.slow(4)
def test_one_that_takes_too_long_says_so_by_its_reason(place: Registry, tmp_path: Path) -> None:
    images = BentoImages(settings=ImageSettings(builder="buildah"), environ=buildah_env(tmp_path))
    bento = small_bento(tmp_path / "bento", DOCKERFILE.replace("echo hello", "/bin/busybox sleep 6318"))
    told = Told()

    with pytest.raises(Exception, match="within 2 s"):
        have(images, ImageBuild(name=f"{place.host}/acme/slow:1", tag=TAG, timeout_s=2.0), bento, told, place.config())

    assert told.statuses[-1].reason == "Timeout"
