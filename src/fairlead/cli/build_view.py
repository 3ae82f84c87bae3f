"""How a build looks: one line that says what is being done, and the builder's words when it fails; on a pipe, all of
them as they come."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from fairlead.cli import output
from fairlead.images.builders.steps import Steps
from fairlead.plan.bentos import ImageState

_KEPT = 30
_WIDTH = 100
_WORDS = {
    ImageState.CHECKING: "asking the registry",
    ImageState.BUILDING: "building",
}


class View(Protocol):
    """Is told every line of the builder's, and how far the image is."""

    def say(self, line: str) -> None: ...

    def tell(self, state: ImageState) -> None: ...


@contextmanager
def build_view(image: str, *, is_verbose: bool) -> Iterator[View]:
    """For the time of one build. What it shows goes to stderr."""
    if is_verbose or not output.is_person():
        yield _Plain(image)
        return
    from rich.markup import escape
    from rich.status import Status

    with Status(escape(image), console=output.console(stderr=True)) as status:
        calm = _Calm(image, lambda text: status.update(escape(text)))
        try:
            yield calm
        except BaseException:
            status.stop()
            calm.tell_all()
            raise


class _Plain:
    def __init__(self, image: str) -> None:
        self._image = image

    def say(self, line: str) -> None:
        output.note(line)

    def tell(self, state: ImageState) -> None:
        if state in _WORDS:
            output.note(f"{self._image}: {_WORDS[state]}")


class _Calm:
    def __init__(self, image: str, show: "Show") -> None:
        self._image, self._show, self._steps = image, show, Steps()
        self._last: deque[str] = deque(maxlen=_KEPT)

    def say(self, line: str) -> None:
        self._last.append(line)
        if self._steps.hear(line):
            self._show(f"{self._image}: {self._steps.current}"[:_WIDTH])

    def tell(self, state: ImageState) -> None:
        if state in _WORDS:
            self._show(f"{self._image}: {_WORDS[state]}")

    def tell_all(self) -> None:
        for line in self._last:
            output.note(f"  {line}")


class Show(Protocol):
    def __call__(self, text: str) -> None: ...
