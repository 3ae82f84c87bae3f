"""Images of bentos made on this machine: told of, logged, and tried again when something was away."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fairlead.backends.base import SecretData
from fairlead.backends.local.imaging import CONFIG, Imager
from fairlead.images.building import BentoImages, ImageSettings
from fairlead.plan.bentos import ImageBuild, ImageState, ImageStatus
from fairlead.plan.model import Owner
from support.image_builders import DOCKERFILE, buildah_env, small_bento
from support.registry import Registry, registry

OWNER = Owner(api_version="resources.yatai.ai/v1alpha1", kind="BentoRequest", namespace="team", name="sums", uid="u")


@dataclass
class Secrets:
    """Secrets that are there from the moment somebody has waited for them."""

    waits: int = 0
    values: Mapping[str, bytes] = field(default_factory=dict)

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        assert (namespace, name) == ("team", "robot")
        return SecretData(values=self.values, annotations={}) if self.waits else None

    async def config_map(self, namespace: str, name: str) -> None: ...
    async def service_account_secrets(self, namespace: str, name: str) -> None: ...
    async def claim_folder(self, namespace: str, name: str) -> None: ...

    async def sleep(self, _delay_s: float) -> None:
        self.waits += 1


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry"), is_private=True) as served:
        yield served


def made(
    place: Registry, folder: Path, image: str, dockerfile: str = DOCKERFILE
) -> tuple[list[ImageStatus | None], str]:
    """What was told while an image was made, and the log of it."""
    secrets = Secrets(values={CONFIG: place.config().encode()})
    images = BentoImages(settings=ImageSettings(builder="buildah"), environ=buildah_env(folder))
    imager = Imager(images, secrets, folder / "logs", sleep=secrets.sleep)
    build = ImageBuild(name=f"{place.host}/{image}", tag="yatai.sums.v1", credentials="robot")
    told: list[ImageStatus | None] = [imager.first(build)]
    asyncio.run(imager.have(OWNER, build, small_bento(folder / "bento", dockerfile), {}, told.append))
    return told, (folder / "logs/team/yatai-bento-image-builder-sums.log").read_text()


@pytest.mark.slow(3)
def test_an_image_waits_for_its_secret_and_is_logged(place: Registry, tmp_path: Path) -> None:
    told, log = made(place, tmp_path, "acme/sums:1")

    assert [one.state if one else None for one in told] == [
        *(ImageState.CHECKING, ImageState.FAILED, ImageState.CHECKING, ImageState.ABSENT),
        *(ImageState.BUILDING, ImageState.PRESENT, ImageState.PRESENT),
    ]
    assert told[1] is not None
    assert (told[1].reason, "Secret robot" in told[1].message) == ("MissingReference", True)
    assert "RUN echo hello" in log


@pytest.mark.slow(2)
def test_one_that_cannot_be_made_is_not_tried_again(place: Registry, tmp_path: Path) -> None:
    told, log = made(place, tmp_path, "acme/broken:1", DOCKERFILE.replace("echo hello", "cat /nowhere"))

    assert told[-1] is not None
    assert (told[-1].state, told[-1].reason) == (ImageState.FAILED, "ImageBuildFailed")
    assert "step 3/4: RUN cat /nowhere" in told[-1].message
    assert "step 3/4: RUN cat /nowhere" in log.splitlines()[-1]


def test_without_a_name_and_a_registry_no_image_is_wanted(tmp_path: Path) -> None:
    imager = Imager(BentoImages(), Secrets(), tmp_path)

    assert imager.first(ImageBuild(name="", tag="yatai.sums.v1")) is None
    assert imager.first(None) is None
