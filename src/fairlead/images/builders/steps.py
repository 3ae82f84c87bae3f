"""Which step of a Dockerfile a builder is at, read from what it prints: the formats of buildah, of Docker's own builder
and of BuildKit's plain progress."""

import re
from collections import deque
from dataclasses import dataclass, field

_CLASSIC = re.compile(r"^(?:\[\d+/\d+\] )?step (\d+/\d+) ?: (.+)$", re.IGNORECASE)
_VERTEX = re.compile(r"^#(\d+) \[(?:(\S+) +)?(\d+/\d+)\] (.+)$")
_OF_VERTEX = re.compile(r"^#(\d+) (?:([\d.]+) )?(.*)$")
_NOISE = re.compile(r"^(-{3,}|subprocess exited with status \d+|sha256:[0-9a-f]+|CACHED|DONE [\d.]+s|\.\.\.)$")
_PUSH = re.compile(
    r"failed to push|unauthorized|denied|authentication required|server gave HTTP response", re.IGNORECASE
)
_KEPT = 3
_LONGEST = 160


@dataclass(slots=True)
class Steps:
    """Is told every line; `current` is where the build is, `trouble()` what to say of one that failed."""

    current: str = ""
    _said: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _vertices: dict[str, str] = field(default_factory=dict)
    _spoke: dict[str, deque[str]] = field(default_factory=dict)
    _failed: str = ""
    _error: str = ""

    def hear(self, line: str) -> bool:
        """Take a line in; whether it begins a step."""
        if match := _CLASSIC.match(line):
            self.current = f"{match[1]}: {match[2]}"
            self._said.clear()
            return True
        if match := _VERTEX.match(line):
            stage = f"{match[2]} " if match[2] else ""
            step = f"{stage}{match[3]}: {match[4]}"
            is_new = match[1] not in self._vertices
            self._vertices[match[1]] = self.current = step
            return is_new
        self._keep(line)
        return False

    def trouble(self) -> str:
        """The step that failed, and the last lines that it printed."""
        step = self._vertices.get(self._failed) or ("" if self._vertices and self._error else self.current)
        said = self._spoke.get(self._failed, self._said)
        lines = [line for line in (*said, self._error) if line]
        told = "; ".join(dict.fromkeys(line[:_LONGEST] for line in lines[-_KEPT:]))
        return f"step {step[:_LONGEST]}: {told}" if step else told

    def ended(self, how: str) -> None:
        """What to say of a program that failed without a word."""
        self._error = self._error or ("" if self._said or self._failed else how)

    @property
    def is_push_trouble(self) -> bool:
        """Whether all steps went well and the registry did not take the image."""
        return bool(self._error) and self._failed not in self._vertices and bool(_PUSH.search(self._error))

    def _keep(self, line: str) -> None:
        match = _OF_VERTEX.match(line)
        if match is None:
            if line.startswith(("ERROR", "Error")):
                self._error = line.partition(":")[2].strip() or line
            elif not _NOISE.match(line) and not line.startswith(" > "):
                self._said.append(line.strip())
            return
        vertex, text = match[1], match[3].strip()
        if text.startswith("ERROR"):
            self._failed, self._error = vertex, text.partition(":")[2].strip()
        elif not _NOISE.match(text):
            self._spoke.setdefault(vertex, deque(maxlen=_KEPT)).append(text)
