"""Images made by the builders themselves, pushed to a real registry that wants a login: what every builder promises."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.images.access import Access
from fairlead.images.contexts.context import Context
from fairlead.images.failures import BuildFailed, BuildTimedOut, PushFailed
from fairlead.images.making import Made, Wanted, make
from fairlead.images.remote import digest_of
from fairlead.plan.bentos import ImageState
from support.certificates import make_certificate
from support.docker_engine import docker_daemon
from support.docker_engine import missing as no_docker
from support.image_builders import DOCKERFILE, buildah_env, small_context
from support.instance import until
from support.registry import Registry, registry

pytestmark = [pytest.mark.slow(20), pytest.mark.timeout(300)]

SECRET = "a-secret-of-the-build"
_DISTRIBUTIONS = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Tried:
    """A builder with the environment in which it is found."""

    builder: str
    env: Mapping[str, str]
    keeps_secrets: bool = True


@dataclass
class Heard:
    """What was told while an image was made."""

    lines: list[str]
    states: list[ImageState]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry"), is_private=True) as served:
        yield served


@pytest.fixture(scope="module")
def daemon() -> Iterator[str]:
    if why := no_docker():
        pytest.skip(f"not run: {why}")
    with docker_daemon("--bridge=none") as address:
        yield address


def _buildah(request: pytest.FixtureRequest, home: Path) -> Tried:
    return Tried("buildah", buildah_env(home))


def _docker(request: pytest.FixtureRequest, home: Path) -> Tried:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_HOST": request.getfixturevalue("daemon")}
    return Tried("docker", env, keeps_secrets=_is_old(os.environ["PATH"]))


def _docker_with_buildkit(request: pytest.FixtureRequest, home: Path) -> Tried:
    """Clients before 23 have BuildKit inside; Debian's of bookworm is one, wherever a newer one comes first."""
    if not _is_old(_DISTRIBUTIONS):
        pytest.skip("not run: no docker client before 23, which builds with BuildKit by itself")
    return Tried(
        "docker", {"PATH": _DISTRIBUTIONS, "HOME": str(home), "DOCKER_HOST": request.getfixturevalue("daemon")}
    )


def _buildx(request: pytest.FixtureRequest, home: Path) -> Tried:
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "DOCKER_HOST": request.getfixturevalue("daemon")}
    env |= {name: os.environ[name] for name in ("DOCKER_CONFIG",) if name in os.environ}
    if (
        shutil.which("docker") is None
        or subprocess.run(("docker", "buildx", "version"), capture_output=True).returncode
    ):
        pytest.skip("not run: no docker buildx (Debian's package docker-buildx, from trixie on)")
    return Tried("buildkit", env)


def _is_old(path: str) -> bool:
    program = shutil.which("docker", path=path)
    if program is None:
        return False
    told = subprocess.run((program, "--version"), capture_output=True, text=True).stdout
    return int(told.split()[2].partition(".")[0]) < 23


@pytest.fixture(params=[_buildah, _docker, _docker_with_buildkit, _buildx], ids=lambda one: one.__name__.strip("_"))
def tried(request: pytest.FixtureRequest, home: Path) -> Tried:
    found: Callable[[pytest.FixtureRequest, Path], Tried] = request.param
    return found(request, home)


def wanted(place: Registry, image: str, tried: Tried, *, password: str = "") -> Wanted:
    config = place.config(password=password) if password else place.config()
    return Wanted(
        image=f"{place.host}/{image}",
        access=Access(config=config, home=Path(tried.env.get("DOCKER_CONFIG") or Path(tried.env["HOME"], ".docker"))),
        builder=tried.builder,
        network="none",
        is_pushed=True,
        timeout_s=120.0,
    )


def made(asked: Wanted, tried: Tried, dockerfile: str = DOCKERFILE) -> tuple[Made, Heard]:
    heard = Heard([], [])

    def lay_out(target: Path) -> Context:
        folder = small_context(target, dockerfile)
        return Context(folder=folder, dockerfile=folder / "Dockerfile")

    call = make(asked, lay_out, environ=tried.env, say=heard.lines.append, tell=heard.states.append)
    return asyncio.run(call), heard


def image_name(request: pytest.FixtureRequest) -> str:
    return f"small/{request.node.callspec.id.replace('_', '-')}:1"


def test_an_image_is_made_once_and_is_what_its_registry_names(
    tried: Tried, place: Registry, request: pytest.FixtureRequest
) -> None:
    asked = wanted(place, image_name(request), tried)
    first, heard = made(asked, tried)
    again, silent = made(asked, tried)
    forced, _ = made(replace(asked, is_forced=True), tried)

    assert heard.states == [ImageState.CHECKING, ImageState.ABSENT, ImageState.BUILDING, ImageState.PRESENT]
    assert first.digest == digest_of(asked.image, asked.access) != ""
    assert any("RUN echo hello" in line for line in heard.lines)
    assert (again.builder, again.digest, silent.lines) == ("", first.digest, [])
    assert silent.states == [ImageState.CHECKING, ImageState.PRESENT]
    assert forced.builder


def test_a_step_that_fails_is_named(tried: Tried, place: Registry, request: pytest.FixtureRequest) -> None:
    asked = wanted(place, image_name(request).replace(":1", ":broken"), tried)

    with pytest.raises(BuildFailed) as caught:
        made(asked, tried, DOCKERFILE.replace("> /greeting", "; cat /nowhere"))

    assert "RUN echo hello" in str(caught.value)
    assert "can't open" in str(caught.value)


def test_whoever_has_no_right_is_told_before_anything_is_built(tried: Tried, place: Registry) -> None:
    heard: list[str] = []

    with pytest.raises(StorageError, match="asked as robot") as caught:
        made(wanted(place, "small/private:1", tried, password="another-password"), tried)

    assert "another-password" not in str(caught.value)
    assert heard == []


def test_a_secret_is_seen_by_its_step_and_by_nobody_else(
    tried: Tried, place: Registry, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "word").write_text(SECRET)
    asked = replace(
        wanted(place, image_name(request).replace(":1", ":secret"), tried),
        secrets={"word": tmp_path / "word"},
        archive=tmp_path / "image.tar",
    )
    # What a step prints as it ends has been missing from buildah's output once; so the step goes on for a moment.
    step = "RUN --mount=type=secret,id=word cat /run/secrets/word && echo && /bin/busybox sleep 0.5"
    text = DOCKERFILE.replace("RUN echo hello > /greeting", step)

    if not tried.keeps_secrets:
        with pytest.raises(BuildFailed, match="cannot keep secrets \\(word\\)"):
            made(asked, tried, text)
        return
    _, heard = made(asked, tried, text)

    assert any("***" in line for line in heard.lines)
    assert not any(SECRET in line for line in heard.lines)
    assert SECRET.encode() not in _everything_in(tmp_path / "image.tar")


def _everything_in(archive: Path) -> bytes:
    import gzip
    import tarfile

    found = b""
    with tarfile.open(archive) as image:
        for member in image.getmembers():
            if (opened := image.extractfile(member)) is not None:
                content = opened.read()
                found += gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    return found


def test_a_build_that_takes_too_long_is_ended(tried: Tried, place: Registry) -> None:
    asked = replace(wanted(place, "small/slow:1", tried), timeout_s=3.0)

    with pytest.raises(BuildTimedOut, match="within 3 s"):
        made(asked, tried, DOCKERFILE.replace("echo hello > /greeting", "/bin/busybox sleep 6317"))

    # A daemon hears of a client that hung up, and then ends what it ran for it.
    until(lambda: not _runs("busybox sleep 6317"), timeout_s=30, what="the end of the step")


def _runs(words: str) -> bool:
    return subprocess.run(("pgrep", "-f", words), capture_output=True).returncode == 0


def test_buildah_makes_equal_images_of_equal_contents(place: Registry, home: Path) -> None:
    tried = Tried("buildah", buildah_env(home))
    digests = set()
    for number in (1, 2):
        asked = replace(wanted(place, f"small/equal:{number}", tried), is_fresh=True, epoch=1_700_000_000)
        digests.add(made(asked, tried)[0].digest)

    assert len(digests) == 1


def test_buildah_pushes_over_tls_to_a_registry_with_an_authority_of_its_own(home: Path, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "IP:127.0.0.1")
    tried = Tried("buildah", buildah_env(home))
    with registry(tmp_path / "registry", is_private=True, certificate=certificate) as secure:
        access = Access(config=secure.config(), ca_pem=certificate[0].read_text())
        asked = replace(wanted(secure, "small/tls:1", tried), access=access)

        first, _ = made(asked, tried)

        assert first.digest == digest_of(asked.image, access) != ""


def test_a_registry_that_takes_no_push_is_told_apart_from_a_failed_step(place: Registry, home: Path) -> None:
    tried = Tried("buildah", buildah_env(home))
    # The question is answered for the reader; the builder is told a wrong password.
    asked = replace(wanted(place, "small/refused:1", tried), is_pushed=True)
    config = json.loads(asked.access.config)

    class Forgetful(Access):
        @property
        def logins(self) -> str:
            wrong = {host: {"auth": "cm9ib3Q6d3Jvbmc="} for host in config["auths"]}
            return json.dumps({"auths": wrong})

    with pytest.raises(PushFailed, match="small/refused"):
        made(replace(asked, access=Forgetful(config=asked.access.config)), tried)
