"""What lowering finds out on the way: mistakes that stop it, and wishes that mean nothing here.

Mistakes are collected, so that a person corrects all of them at once.
"""

from dataclasses import dataclass, field

from fairlead.errors import InvalidManifest, Problem, UnrunnableManifest, Where


@dataclass(slots=True)
class Findings:
    """Collects; `check` raises when anything stops the plan."""

    problems: list[Problem] = field(default_factory=list)
    unknown: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refuse(self, path: str, message: str) -> None:
        """Something in the manifest cannot be used."""
        self.problems.append(Problem(where=Where(path=path), message=message, field=path))

    def lack(self, path: str, message: str) -> None:
        """The manifest is right, and nothing here can run it."""
        self.unknown.append(Problem(where=Where(path=path), message=message, field=path))

    def warn(self, sentence: str) -> None:
        """Something is ignored that its author would miss. Said once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def check(self) -> None:
        """Raise `InvalidManifest`; the `UnrunnableManifest` kind when nothing is wrong but what we lack."""
        problems = [*self.problems, *self.unknown]
        if problems:
            kind = InvalidManifest if self.problems else UnrunnableManifest
            raise kind(problems, message="; ".join(str(problem) for problem in problems))
