"""What the rules of these kinds refuse, in the words that API servers have for such mistakes. Yatai refuses next to
nothing when a manifest is applied, and tells of it in a log."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fairlead.dialects.base import Document
from fairlead.dialects.bento.names import parse_tag
from fairlead.dialects.bento.schema import BentoModel, BentoRunner
from fairlead.dialects.reading import Identity, problem, quoted
from fairlead.errors import InvalidManifest, Problem
from fairlead.plan import quantity

SOURCES = frozenset({"s3", "gs", "http", "https", "az", "file", "pvc", "fairlead"})
MODEL_SOURCES = SOURCES | {"hf"}
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


@dataclass(slots=True)
class Refusing:
    """Collects; `check` raises when there is anything."""

    identity: Identity
    doc: Document
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, path: str, message: str) -> None:
        """A mistake."""
        self.problems.append(problem(path, message))

    def value(self, path: str, value: Any, why: str) -> None:
        """A value that cannot be used."""
        self.refuse(path, f"Invalid value: {quoted(value)}: {why}")

    def tag(self, path: str, text: str, *, needs_version: bool = True) -> None:
        """A tag."""
        try:
            tag = parse_tag(text)
        except ValueError as error:
            self.value(path, text, str(error))
            return
        if needs_version and not tag.version:
            self.value(path, text, "must be name:version; `latest` would be another bento tomorrow")

    def image(self, path: str, text: str) -> None:
        """The name of an image."""
        if not _IMAGE.fullmatch(text):
            self.value(path, text, "must be the name of an image, registry/repository:tag")

    def source(self, path: str, uri: str, accepted: frozenset[str] = SOURCES) -> None:
        """An address to fetch from."""
        if uri and urlsplit(uri).scheme not in accepted:
            self.value(path, uri, f"must begin with one of {', '.join(f'{one}://' for one in sorted(accepted))}")

    def runners(self, path: str, runners: Iterable[BentoRunner]) -> None:
        """Runners, each once."""
        self.unique(path, [runner.name for runner in runners])

    def models(self, path: str, models: Iterable[BentoModel]) -> None:
        """Models."""
        for index, model in enumerate(models):
            self.tag(f"{path}[{index}].tag", model.tag)
            self.source(f"{path}[{index}].downloadUrl", model.download_url, MODEL_SOURCES)
            if model.size is not None:
                self.quantity(f"{path}[{index}].size", model.size)

    def unique(self, path: str, names: Iterable[str]) -> None:
        """Names of a list, none empty and none twice."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            where = f"{path}[{index}].name"
            if not name:
                self.refuse(where, "Required value")
            elif name in seen:
                self.refuse(where, f"Duplicate value: {quoted(name)}")
            seen.add(name)

    def variables(self, path: str, envs: Iterable[Any]) -> None:
        """Names of variables, and one source for each."""
        for index, env in enumerate(envs):
            where = f"{path}[{index}]"
            if not _VARIABLE.fullmatch(env.name):
                self.value(f"{where}.name", env.name, "must be the name of a variable")
            if env.value and env.value_from is not None:
                self.refuse(f"{where}.valueFrom", "Invalid value: may not be specified when `value` is not empty")

    def quantity(self, path: str, amount: str | float) -> None:
        """An amount of a resource."""
        try:
            if quantity.parse(amount) < 0:
                self.value(path, amount, "must be greater than or equal to 0")
        except ValueError:
            self.value(path, amount, "must be a quantity, such as 500m, 2 or 1Gi")

    def labels(self, path: str, labels: Mapping[str, str]) -> None:
        """Values of labels."""
        for name, text in labels.items():
            if len(text) > 63 or not re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", text):
                self.value(f"{path}[{name}]", text, "must be at most 63 letters, digits, '-', '_' and '.'")

    def check(self) -> None:
        """Raise `InvalidManifest` with every problem."""
        if self.problems:
            raise InvalidManifest(self.problems, message=self.identity.summary(self.doc, self.problems))
