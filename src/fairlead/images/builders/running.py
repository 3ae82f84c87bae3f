"""What all builders do with their program: run one command of it, follow its steps, and say which of them failed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fairlead.images.builders.base import Order, Say
from fairlead.images.builders.process import Program
from fairlead.images.builders.steps import Steps
from fairlead.images.failures import BuildFailed, PushFailed
from fairlead.storage.oci.reference import parse
from fairlead.storage.redaction import secrets_of

_SHORTEST_SECRET = 6
_LARGEST_SECRET_BYTES = 16 * 1024


def program_for(order: Order, env: Mapping[str, str]) -> Program:
    """How a builder's program is started: with this environment, and silent about the order's secrets."""
    login = order.access.login(parse(order.image))
    found = {*login.secrets, *secrets_of(order.build_args), *secrets_of(env)}
    for path in order.secrets.values():
        found |= _contents(path)
    hidden = sorted((text for text in found if len(text) >= _SHORTEST_SECRET), key=len, reverse=True)
    return Program(env=env, secrets=tuple(hidden))


async def build_with(program: Program, argv: Sequence[str], order: Order, say: Say) -> None:
    """Run what makes the image. Raises `BuildFailed` with the step, or `PushFailed` when that was all that failed."""
    if steps := await _failed(program, argv, say):
        told = f"{order.image}: {steps.trouble()}"
        raise PushFailed(told) if steps.is_push_trouble else BuildFailed(told)


async def push_with(program: Program, argv: Sequence[str], order: Order, say: Say) -> None:
    """Run what sends the image. Raises `PushFailed`."""
    if steps := await _failed(program, argv, say):
        raise PushFailed(f"{order.image}: {steps.trouble()}")


async def save_with(program: Program, argv: Sequence[str], order: Order, say: Say) -> None:
    """Run what writes the image to a file. Raises `BuildFailed`."""
    if steps := await _failed(program, argv, say):
        raise BuildFailed(f"{order.image} cannot be written to a file: {steps.trouble()}")


async def _failed(program: Program, argv: Sequence[str], say: Say) -> Steps | None:
    """The steps of a command that failed; `None` when it went well."""
    steps = Steps()

    def heard(line: str) -> None:
        steps.hear(line)
        say(line)

    code = await program.run(argv, heard)
    if not code:
        return None
    steps.ended(f"{argv[0]} ended with exit code {code}")
    return steps


def pairs(flag: str, values: Mapping[str, str]) -> list[str]:
    """A flag for each `name=value`, in a fixed order."""
    return [word for name in sorted(values) for word in (flag, f"{name}={values[name]}")]


def written(path: Path) -> str:
    """The id that a builder wrote."""
    return path.read_text().strip() if path.exists() else ""


def _contents(path: Path) -> set[str]:
    try:
        text = path.read_text() if path.stat().st_size <= _LARGEST_SECRET_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return set()
    return {text.strip(), *(line.strip() for line in text.splitlines())}
