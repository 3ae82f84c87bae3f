"""Those who work: each takes what is due, has it reconciled, and sees to what comes of it. Whatever is raised about one
object becomes that object's own trouble: its status, an Event, a line in the log and a later try.
"""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass

from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.queueing import WorkQueue
from fairlead.backends.kubernetes.operator.reconciling import Again, Reconciler
from fairlead.backends.kubernetes.operator.resources import ObjectKey
from fairlead.errors import FairleadError, Retryable

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Workers:
    """All of them: a queue, and how one object of it is done."""

    queue: WorkQueue[ObjectKey]
    reconciler: Reconciler
    meter: Meter
    _is_stopping: bool = False

    async def work(self) -> None:
        """Work until cancelled, or told to finish. Any number may do so at a time."""
        while True:
            key = await self.queue.take()
            if self._is_stopping:
                self.queue.done(key)
                return
            started, result = time.monotonic(), "error"
            try:
                result = await self._one(key)
            finally:
                self.queue.done(key)
                self.meter.reconciled(key.kind, result, time.monotonic() - started)

    async def _one(self, key: ObjectKey) -> str:
        """One reconcile with whatever comes of it; the word for that."""
        try:
            again_s = await self.reconciler.reconcile(key)
        except Again:
            self.queue.add(key)
            return "conflict"
        except Retryable as error:
            delay_s = self.queue.retry(key, at_least_s=error.after_s or 0.0)
            _log.info("%s: %s; again in %.1f s", key, error, delay_s)
            return "later"
        except FairleadError as error:
            _log.warning("%s: %s", key, error)
            await self._fail(key, error)
            return "refused"
        except Exception as error:
            _log.exception("%s: internal error", key)
            await self._fail(key, FairleadError(f"internal error: {type(error).__name__}: {error}"))
            return "error"
        self.queue.forgive(key)
        if again_s is not None:
            self.queue.add(key, after_s=again_s)
        return "done"

    async def _fail(self, key: ObjectKey, error: FairleadError) -> None:
        self.queue.retry(key)
        try:
            await self.reconciler.fail(key, error)
        except Again:
            self.queue.add(key)
        except Retryable as away:
            _log.info("%s: its status could not be written: %s", key, away)
        except Exception:
            _log.exception("%s: its status could not be written", key)

    async def finish(self, *, within_s: float) -> None:
        """Take nothing new, and give what is under way a while to end."""
        self._is_stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.queue.idle()
