"""Images of bentos for a back-end that has the bento here: what a plan asks for, what the installation decides, and how
far it is.

An image that the plan names is made or the plan has failed. One that only the installation would like to have, because
it names a registry, is left out where no builder is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fairlead.dialects.bento.image_places import ImagePlace, image_of
from fairlead.errors import ConfigError, FairleadError
from fairlead.images.access import Access, access_of
from fairlead.images.builders.base import Say
from fairlead.images.contexts.bento import lay_out_bento
from fairlead.images.contexts.dockerfile import index_of
from fairlead.images.failures import NoBuilder
from fairlead.images.making import Wanted, make
from fairlead.plan.bentos import ImageBuild, ImageState, ImageStatus
from fairlead.storage.oci.reference import parse
from fairlead.storage.redaction import cleaned, secrets_of

Report = Callable[[ImageStatus], None]
_LOGS = "yatai-bento-image-builder-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """What an installation decides. Without a `place` only images are made that a plan names. `base` takes the place of
    the image that bentos are built on."""

    place: ImagePlace | None = None
    is_insecure: bool = False
    ca_file: Path | None = None
    builder: str = ""
    base: str = ""
    timeout_s: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BentoImages:
    """Makes images of bentos. `environ` has the index settings of pip, the logins of Docker's client, and says which
    daemon builds."""

    settings: ImageSettings = field(default_factory=ImageSettings)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def name_of(self, build: ImageBuild) -> str:
        """The image's whole name; empty when nobody says where it goes."""
        if build.name:
            return build.name
        return image_of(build.tag, self.settings.place).name if self.settings.place else ""

    async def have(
        self,
        build: ImageBuild,
        bento: Path,
        models: Mapping[str, Path],
        *,
        say: Say,
        report: Report,
        credentials: str = "",
    ) -> ImageStatus | None:
        """Have the image in its registry. `models` are the bento's by their tags, `credentials` the text of a Docker
        configuration that comes before the installation's own. `report` is told each time the state changes; what
        fails is reported and raised. `None` when no image is wanted here. Cancelling ends the builder."""
        name = self.name_of(build)
        if not name:
            return None
        told = _Told(name, report)
        try:
            wanted = self._wanted(build, name, credentials)
            index = index_of(self.environ)
            await make(
                wanted,
                lambda target: lay_out_bento(bento, models, target, base=self.settings.base, index=index),
                environ=self.environ,
                say=say,
                tell=told.tell,
            )
        except NoBuilder as error:
            if not build.name:
                return None
            told.failed(error, self.environ)
            raise
        except FairleadError as error:
            told.failed(error, self.environ)
            raise
        return told.last

    def _wanted(self, build: ImageBuild, name: str, credentials: str) -> Wanted:
        place = image_of(build.tag, self.settings.place) if not build.name and self.settings.place else None
        pushed_as = place.pushed_as if place else name
        is_insecure = build.is_insecure or (place is not None and self.settings.is_insecure)
        hosts = frozenset((parse(pushed_as).host,)) if is_insecure else frozenset()
        return Wanted(
            image=pushed_as,
            access=self._access(hosts, credentials),
            builder=self.settings.builder,
            build_args=dict(_pair(text) for text in build.build_args),
            is_pushed=True,
            is_forced=build.is_forced,
            timeout_s=build.timeout_s or self.settings.timeout_s,
        )

    def _access(self, insecure: frozenset[str], credentials: str) -> Access:
        own = access_of(self.environ, insecure=insecure, ca_file=self.settings.ca_file)
        return replace(own, config=credentials) if credentials else own


def log_name(request: str) -> str:
    """What the pod is called in which people look for a build's log."""
    return f"{_LOGS}{request}"


class _Told:
    """Passes states on, each once, under the image's whole name."""

    def __init__(self, name: str, report: Report) -> None:
        self._name, self._report = name, report
        self.last: ImageStatus | None = None

    def tell(self, state: ImageState) -> None:
        self._pass(ImageStatus(name=self._name, state=state))

    def failed(self, error: FairleadError, environ: Mapping[str, str]) -> None:
        message = cleaned(str(error), secrets_of(environ))
        self._pass(ImageStatus(name=self._name, state=ImageState.FAILED, reason=error.reason, message=message))

    def _pass(self, status: ImageStatus) -> None:
        if status != self.last:
            self.last = status
            self._report(status)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ConfigError(f"build argument {name!r}: write NAME=value")
    return name, value
