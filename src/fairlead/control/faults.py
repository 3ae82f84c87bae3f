"""Refusals of the API in Kubernetes' own sentences, because clients and people search for them."""

from fairlead.dialects.base import Kind
from fairlead.errors import AlreadyExists, Conflict, Forbidden, InvalidManifest, NotFound, Problem, Subject, Where


def resource_name(kind: Kind) -> str:
    """`seldondeployments.machinelearning.seldon.io`, or just `secrets` for the core group."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def not_found(kind: Kind, name: str) -> NotFound:
    """There is no such object."""
    error = NotFound(f'{resource_name(kind)} "{name}" not found')
    error.about(Subject(group=kind.group, kind=kind.plural, name=name))
    return error


def already_exists(kind: Kind, name: str) -> AlreadyExists:
    """A creation under a name that is taken."""
    error = AlreadyExists(f'{resource_name(kind)} "{name}" already exists')
    error.about(Subject(group=kind.group, kind=kind.plural, name=name))
    return error


def conflict(kind: Kind, name: str, why: str) -> Conflict:
    """The caller's view of the object is not the present one."""
    error = Conflict(f'Operation cannot be fulfilled on {resource_name(kind)} "{name}": {why}')
    error.about(Subject(group=kind.group, kind=kind.plural, name=name))
    return error


def modified(kind: Kind, name: str) -> Conflict:
    """The caller's resourceVersion is an old one."""
    return conflict(
        kind, name, "the object has been modified; please apply your changes to the latest version and try again"
    )


def forbidden(kind: Kind, name: str, why: str) -> Forbidden:
    """Never allowed here, or not in this state."""
    shown = f'{resource_name(kind)} "{name}"' if name else resource_name(kind)
    error = Forbidden(f"{shown} is forbidden: {why}")
    error.about(Subject(group=kind.group, kind=kind.plural, name=name))
    return error


def invalid(kind: Kind, name: str, problems: list[Problem]) -> InvalidManifest:
    """A document that breaks the API's rules."""
    shown = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    causes = [f"{problem.field}: {problem.message}" for problem in problems]
    text = causes[0] if len(causes) == 1 else f"[{', '.join(causes)}]"
    error = InvalidManifest(problems, message=f'{shown} "{name}" is invalid: {text}')
    error.about(Subject(group=kind.group, kind=kind.kind, name=name))
    return error


def problem(field: str, message: str, *, value: str = "", cause: str = "FieldValueInvalid") -> Problem:
    """One thing wrong with a field, for `invalid`."""
    return Problem(where=Where(path=field), field=field, message=message, value=value, cause=cause)
