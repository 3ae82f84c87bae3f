"""Images of bentos that plans ask for, made here: each with a log of its own beside those of replicas, and tried again
when a registry or a Secret was away."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from fairlead.backends.base import Lookup
from fairlead.backends.local.backoff import REFERENCES, TRANSFERS
from fairlead.backends.local.logs import LogFile
from fairlead.errors import FairleadError, Retryable
from fairlead.images.building import BentoImages, log_name
from fairlead.plan.bentos import ImageBuild, ImageState, ImageStatus
from fairlead.plan.model import Owner

CONFIG = ".dockerconfigjson"
Report = Callable[[ImageStatus | None], None]


class Imager:
    """`logs` is the folder of all logs; a build's is `<namespace>/<name of the pod it would be in>.log`."""

    def __init__(
        self,
        images: BentoImages,
        lookup: Lookup,
        logs: Path,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._images, self._lookup, self._logs = images, lookup, logs
        self._clock, self._sleep = clock, sleep

    def first(self, build: ImageBuild | None) -> ImageStatus | None:
        """What to say of an image before anybody has looked; `None` when none is wanted."""
        name = self._images.name_of(build) if build is not None else ""
        return ImageStatus(name=name, state=ImageState.CHECKING) if name else None

    async def have(
        self, owner: Owner, build: ImageBuild, bento: Path, models: Mapping[str, Path], report: Report
    ) -> None:
        """Return once the image is there, cannot be made, or is not wanted after all; `report` was told which. What may
        work later is tried until it does."""
        failures = 0
        while True:
            try:
                report(await self._once(owner, build, bento, models, report))
                return
            except _NoSecret as error:
                report(self._failed(build, error.reason, str(error)))
                backoff = REFERENCES
            except Retryable:
                backoff = TRANSFERS
            except FairleadError:
                return
            except OSError as error:
                report(self._failed(build, "DiskError", f"it cannot be made on this disk: {error.strerror or error}"))
                backoff = REFERENCES
            failures += 1
            await self._sleep(backoff.delay_s(failures))

    async def _once(
        self, owner: Owner, build: ImageBuild, bento: Path, models: Mapping[str, Path], report: Report
    ) -> ImageStatus | None:
        credentials = await self._credentials(owner.namespace, build.credentials)
        log = LogFile(self._logs / owner.namespace / f"{log_name(owner.name)}.log")

        def say(line: str) -> None:
            log.write(line.encode(), now=self._clock())
            log.flush()

        try:
            return await self._images.have(build, bento, models, say=say, report=report, credentials=credentials)
        except FairleadError as error:
            say(str(error))
            raise
        finally:
            log.close()

    async def _credentials(self, namespace: str, name: str) -> str:
        if not name:
            return ""
        secret = await self._lookup.secret(namespace, name)
        config = secret.values.get(CONFIG) if secret is not None else None
        if config is None:
            raise _NoSecret(f"Secret {name} does not exist in namespace {namespace}, or has no {CONFIG}")
        return config.decode("utf-8", "replace")

    def _failed(self, build: ImageBuild, reason: str, message: str) -> ImageStatus:
        return ImageStatus(name=self._images.name_of(build), state=ImageState.FAILED, reason=reason, message=message)


class _NoSecret(Retryable):
    """What the plan refers to is not there yet."""

    reason = "MissingReference"
