"""Values files of an installation: what Helm's `--values` takes, read without Helm.

`read` checks every name and type and says all that is wrong at once; what is right becomes `ClusterSettings`, with the
values themselves in it for the dialects, each of which reads its own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from fairlead.backends.kubernetes.accepted_values import ACCEPTED, Sort, Value
from fairlead.dialects.clusters import DEFAULT_IMAGE, ClusterSettings
from fairlead.dialects.document import NOT_AN_OBJECT, Loaded, load
from fairlead.errors import InvalidManifest, Problem
from fairlead.plan.layout import Routing


@dataclass(frozen=True, slots=True)
class Values:
    """What a values file says, and what of it means nothing here."""

    settings: ClusterSettings
    warnings: tuple[str, ...] = ()


def read(text: str, file: str) -> Values:
    """The settings of a values file; an empty one is an installation without any. Raises `InvalidManifest`."""
    loaded = _load(text, file)
    if len(loaded) > 1:
        where = loaded[1].where("")
        raise InvalidManifest([Problem(where=where, message="a values file is one document, and this is a second")])
    return _read(loaded[0]) if loaded else Values(ClusterSettings())


def _load(text: str, file: str) -> list[Loaded]:
    """Values are read by the rules of manifests, which say what a manifest must be."""
    try:
        return load(text, file)
    except InvalidManifest as error:
        message = "a values file must be a mapping of names to values"
        problems = [replace(one, message=one.message.replace(NOT_AN_OBJECT, message)) for one in error.problems]
        raise InvalidManifest(problems) from error


def _read(loaded: Loaded) -> Values:
    reading = _Reading(loaded)
    values = reading.section(loaded.doc, "")
    if reading.problems:
        raise InvalidManifest(reading.problems)
    return Values(settings_of(values), tuple(reading.warnings))


@dataclass(slots=True)
class _Reading:
    """One walk over a file."""

    loaded: Loaded
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def section(self, given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        """The values under a name, without those that are null: to Helm that means the default."""
        read = ((key, self._one(f"{prefix}{key}", item)) for key, item in given.items() if item is not None)
        return {key: item for key, item in read if item is not None}

    def _one(self, path: str, item: Any) -> Any:
        known = ACCEPTED.get(path)
        if known is not None:
            return self._checked(known, item)
        if not any(name.startswith(f"{path}.") for name in ACCEPTED):
            self._unknown(path)
            return None
        if isinstance(item, Mapping):
            return self.section(item, f"{path}.")
        self._refuse(path, item, Sort.MAPPING)
        return None

    def _checked(self, known: Value, item: Any) -> Any:
        read = _READERS[known.sort](item)
        if read is None:
            self._refuse(known.path, item, known.sort)
        elif known.choices and read not in known.choices:
            self._refuse(known.path, item, f"one of {', '.join(known.choices)}")
        return read

    def _refuse(self, path: str, item: Any, accepted: str) -> None:
        message = f"must be {accepted}, and is {_shown(item)}"
        self.problems.append(Problem(where=self.loaded.where(path), message=message))

    def _unknown(self, path: str) -> None:
        near = get_close_matches(path, _names(), n=1, cutoff=0.8)
        hint = f"; did you mean {near[0]}?" if near else ""
        self.warnings.append(f"{self.loaded.where(path)}: no value that Fairlead reads{hint}")


def _names() -> Iterator[str]:
    """Every name with the names of the sections it is in."""
    for path in ACCEPTED:
        parts = path.split(".")
        yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _shown(item: Any) -> str:
    """A value in a message: never its content where that may be long or a secret's."""
    if isinstance(item, Mapping):
        return "a mapping"
    return "a list" if isinstance(item, list) else repr(item)


def _text(item: Any) -> str | None:
    """`--set` makes numbers of what looks like one, and charts quote them again."""
    if isinstance(item, str):
        return item
    return str(item) if isinstance(item, int) and not isinstance(item, bool) else None


def _flag(item: Any) -> bool | None:
    """Both charts have flags that are written as text."""
    return {"true": True, "false": False}.get(str(item).lower()) if isinstance(item, bool | str) else None


def _number(item: Any) -> int | None:
    if isinstance(item, str):
        return int(item) if item.isdecimal() and item.isascii() else None
    return item if isinstance(item, int) and not isinstance(item, bool) else None


def _texts(item: Any) -> list[str] | None:
    return item if isinstance(item, list) and all(isinstance(one, str) for one in item) else None


_READERS: Mapping[Sort, Callable[[Any], Any]] = {
    Sort.TEXT: _text,
    Sort.FLAG: _flag,
    Sort.NUMBER: _number,
    Sort.TEXTS: _texts,
    Sort.LIST: lambda item: item if isinstance(item, list) else None,
    Sort.MAPPING: lambda item: dict(item) if isinstance(item, Mapping) else None,
}


def settings_of(values: Mapping[str, Any]) -> ClusterSettings:
    """The settings that checked values mean."""
    plain = ClusterSettings(values=values)
    repository, tag = plain.value("image.repository", DEFAULT_IMAGE), plain.value("image.tag", "latest")
    return ClusterSettings(
        image=f"{repository}:{tag}",
        runtime_images=plain.value("runtimeImages", {}),
        image_pull_policy=plain.value("image.pullPolicy", plain.image_pull_policy),
        image_pull_secrets=tuple(_secret_name(one) for one in plain.value("image.pullSecrets", ())),
        namespace=plain.value("namespaceOverride") or plain.namespace,
        cluster_domain=plain.value("clusterDomain", plain.cluster_domain),
        routing=_routing(plain),
        has_knative=plain.value("knative.enabled", False),
        has_keda=plain.value("keda.enabled", False),
        has_own_gateway=plain.value("ownGateway.enabled", False),
        values=values,
    )


def _secret_name(given: Any) -> str:
    """A name, or an object with one, as pods write it."""
    return str(given.get("name", "")) if isinstance(given, Mapping) else str(given)


def _routing(plain: ClusterSettings) -> Routing:
    """What is asked for by name, or else by the switches of Seldon's chart."""
    asked = plain.value("routing")
    if asked is not None:
        return Routing(asked)
    switched = (routing for routing in (Routing.ISTIO, Routing.AMBASSADOR) if plain.value(f"{routing}.enabled", False))
    return next(switched, plain.routing)
