"""Explanations on threads of their own: each takes seconds and asks the predictor many times, and none may keep others,
or predictions, waiting for its end.
"""

import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from fairlead.errors import NotReady
from fairlead.protocols.message import Message
from fairlead.runtimes.base import Done
from fairlead.runtimes.explaining.predictor import Predictor

_MOST = 16
Work = Callable[[Predictor], Message]


class SideBySide:
    """The threads of one explainer."""

    def __init__(self, name: str, predictor: Predictor) -> None:
        self._predictor = predictor
        self._threads = ThreadPoolExecutor(_MOST, thread_name_prefix=f"explainer-{name}")

    def begin(self, work: Work, headers: dict[str, str], done: Done) -> Callable[[], None]:
        """Do a request's work, with a predictor that sends on its headers. Gives what calls it off: then the predictor
        is asked no more."""
        predictor = self._predictor.for_request(headers)

        def whole() -> None:
            try:
                answer = work(predictor)
            except Exception as error:
                done(None, error)
            else:
                done(answer, None)

        try:
            future = self._threads.submit(contextvars.copy_context().run, whole)
        except RuntimeError:  # they are ended
            done(None, NotReady("the explainer is stopping"))
            return predictor.stop

        def call_off() -> None:
            predictor.stop()
            future.cancel()

        return call_off

    def close(self) -> None:
        """End the threads; what is under way is given up with its next question."""
        self._predictor.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._predictor.close()


class Turn:
    """Whose turn it is to work with libraries that share the process' random numbers. It is given up while a predictor
    is asked, and the numbers go on afterwards as if nobody else had drawn any: the same question gets the same answer,
    whatever is asked beside it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, seed: int) -> Iterator[None]:
        """A turn, with random numbers from this seed."""
        with self._lock:
            np.random.seed(seed)
            yield

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Within a turn: let others have theirs."""
        state = np.random.get_state()
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()
            np.random.set_state(state)
