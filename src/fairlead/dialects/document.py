"""YAML and JSON as Kubernetes reads them, remembering the line of every value.

kubectl turns YAML into JSON with Go's yaml.v2 rules, which are neither PyYAML's nor YAML 1.2's: `yes`, `on` and `y`
are booleans, `010` is 8, `1e3` is 1000, `1:30` and dates stay text, and a number without a fraction is an integer
however it was written. This module reads the same values, so a manifest means here what it means on a cluster.
Unlike kubectl it refuses a key that is given twice and aliases that multiply, and it says on which line.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, NoReturn

import yaml

from fairlead.dialects.scalars import resolve
from fairlead.errors import InvalidManifest, Problem, Where

MAX_DEPTH = 200
"""Levels of nesting; a manifest of 30 graph levels has about 70."""
MAX_ALIASED_VALUES = 50_000
"""Values that aliases may add to one document."""

_PLAIN, _STRING_TAG, _MERGE_TAG = "?", "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_TAGS = {
    _STRING_TAG: "string",
    "tag:yaml.org,2002:int": "plain",
    "tag:yaml.org,2002:float": "plain",
    "tag:yaml.org,2002:bool": "plain",
    "tag:yaml.org,2002:null": "plain",
    "tag:yaml.org,2002:timestamp": "string",
    "tag:yaml.org,2002:binary": "string",
}
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s{}\[\],:"]+')
NOT_AN_OBJECT = "a manifest must be an object with apiVersion and kind"

Path = tuple[str | int, ...]


def render_path(parts: Sequence[str | int]) -> str:
    """A path as messages show it: `spec.predictors[0].name`; a key with a dot stands in brackets."""
    text = ""
    for part in parts:
        if isinstance(part, int) or "." in part or "/" in part:
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class Loaded:
    """One document, where it came from, and the line of every value in it by rendered path."""

    doc: dict[str, Any]
    file: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, path: str) -> int:
        """The line of a value, or of the nearest value around it when the path leads to nothing. A key with dots is
        found with and without its brackets."""
        nearest = path
        while nearest and nearest not in self.lines:
            nearest = nearest[: max(nearest.rfind("."), nearest.rfind("["), 0)]
            dotted = f"{nearest}[{path[len(nearest) + 1 :]}]"
            if dotted in self.lines:
                return self.lines[dotted]
        return self.lines.get(nearest, 0)

    def where(self, path: str) -> Where:
        """A place in this document for a message."""
        return Where(file=self.file, line=self.line(path), path=path)

    def locate(self, error: InvalidManifest) -> InvalidManifest:
        """The same error with file and line of each problem."""
        problems = [replace(problem, where=self.where(problem.where.path)) for problem in error.problems]
        return error.located(problems)


def load(text: str, file: str = "") -> list[Loaded]:
    """All documents of a file; empty ones are left out and lists unrolled. Raises `InvalidManifest`."""
    events = _json_events(text, file) if text.lstrip("\ufeff \t\r\n").startswith("{") else _yaml_events(text, file)
    return [item for document in _Builder(events, file).documents() for item in _unroll(document)]


def _unroll(loaded: Loaded) -> Iterator[Loaded]:
    items = loaded.doc.get("items")
    if not str(loaded.doc.get("kind", "")).endswith("List") or not isinstance(items, list):
        yield loaded
        return
    for index, item in enumerate(items):
        prefix = f"items[{index}]"
        if not isinstance(item, dict):
            _fail(loaded.where(prefix), "an item of a list must be an object")
        lines = {path.removeprefix(prefix).removeprefix("."): line for path, line in _within(loaded.lines, prefix)}
        yield from _unroll(Loaded(item, loaded.file, lines))


def _within(lines: Mapping[str, int], prefix: str) -> Iterator[tuple[str, int]]:
    return (
        (path, line) for path, line in lines.items() if path == prefix or path.startswith((f"{prefix}.", prefix + "["))
    )


class _Event(NamedTuple):
    """What both syntaxes become: `kind` is one of `{ } [ ] scalar alias document end`."""

    kind: str
    line: int
    value: str = ""
    tag: str = _STRING_TAG
    anchor: str | None = None


def _yaml_events(text: str, file: str) -> Iterator[_Event]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(text, Loader=loader):
            if (simple := _simplify(event)) is not None:
                yield simple
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        _fail(Where(file=file, line=mark.line + 1 if mark else 0), f"not valid YAML: {what}")
    except (yaml.YAMLError, UnicodeError) as error:
        _fail(Where(file=file), f"not valid YAML: {' '.join(str(error).split())}")


def _simplify(event: yaml.Event) -> _Event | None:
    line = event.start_mark.line + 1 if event.start_mark is not None else 0
    match event:
        case yaml.MappingStartEvent():
            return _Event("{", line, tag=event.tag or "", anchor=event.anchor)
        case yaml.SequenceStartEvent():
            return _Event("[", line, tag=event.tag or "", anchor=event.anchor)
        case yaml.MappingEndEvent():
            return _Event("}", line)
        case yaml.SequenceEndEvent():
            return _Event("]", line)
        case yaml.ScalarEvent():
            tag = event.tag or (_PLAIN if event.implicit[0] else _STRING_TAG)
            return _Event("scalar", line, event.value, "!" if tag == "!" else tag, event.anchor)
        case yaml.AliasEvent():
            return _Event("alias", line, anchor=event.anchor)
        case yaml.DocumentStartEvent():
            return _Event("document", line)
        case yaml.DocumentEndEvent():
            return _Event("end", line)
    return None


def _json_events(text: str, file: str) -> Iterator[_Event]:
    """JSON documents, one after the other. The standard decoder judges the syntax; tokens then give the lines."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    text = text.lstrip("\ufeff")
    position = len(text) - len(text.lstrip())
    line = 1 + text.count("\n", 0, position)
    while position < len(text):
        try:
            _, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            _fail(Where(file=file, line=error.lineno), f"not valid JSON: {error.msg}")
        except ValueError as error:
            _fail(Where(file=file), f"not valid JSON: {error}")
        except RecursionError:
            _fail(Where(file=file), f"nested deeper than {MAX_DEPTH} levels")
        yield _Event("document", line)
        last = position
        for token in _JSON_TOKEN.finditer(text, position, end):
            line += text.count("\n", last, token.start())
            last = token.start()
            yield _json_event(token.group(), line)
        yield _Event("end", line)
        position = end + len(text[end:]) - len(text[end:].lstrip())
        line += text.count("\n", last, position)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number that JSON can hold")


def _json_event(text: str, line: int) -> _Event:
    if text in "{}[]":
        return _Event(text, line)
    if text.startswith('"'):
        return _Event("scalar", line, json.loads(text))
    return _Event("scalar", line, text, _PLAIN)


@dataclass(slots=True)
class _Node:
    """A value before aliases and merges are worked out. `value` is a scalar, a list of nodes, or a list of pairs."""

    kind: str
    line: int
    value: Any = None
    is_merge: bool = False


class _Builder:
    """Turns events into documents: first a tree of nodes, then values with their lines."""

    def __init__(self, events: Iterator[_Event], file: str) -> None:
        self._events = events
        self._file = file
        self._anchors: dict[str, _Node] = {}
        self._open: set[int] = set()
        self._aliased = 0
        self._lines: dict[str, int] = {}

    def documents(self) -> Iterator[Loaded]:
        for event in self._events:
            if event.kind != "document":
                continue
            self._anchors, self._aliased, self._lines = {}, 0, {}
            root = self._node(next(self._events), 0)
            value = self._value(root, (), is_aliased=False)
            if value is None:
                continue
            if not isinstance(value, dict):
                self._refuse(root.line, NOT_AN_OBJECT)
            yield Loaded(value, self._file, dict(self._lines))

    def _node(self, event: _Event, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            self._refuse(event.line, f"nested deeper than {MAX_DEPTH} levels")
        if event.kind == "alias":
            anchored = self._anchors.get(event.anchor or "")
            if anchored is None:
                self._refuse(event.line, f"no anchor named {event.anchor!r} before this alias")
            return _Node("alias", event.line, anchored)
        node = _Node(event.kind, event.line)
        if event.anchor:
            self._anchors[event.anchor] = node
        if event.kind == "scalar":
            node.value, node.is_merge = self._scalar(event)
        elif event.kind == "[":
            node.value = [self._node(item, depth + 1) for item in self._until("]")]
        else:
            node.value = [
                (self._node(key, depth + 1), self._node(next(self._events), depth + 1)) for key in self._until("}")
            ]
        return node

    def _until(self, closing: str) -> Iterator[_Event]:
        for event in self._events:
            if event.kind == closing:
                return
            yield event

    def _scalar(self, event: _Event) -> tuple[Any, bool]:
        if event.tag in (_PLAIN, _MERGE_TAG) and event.value == "<<":
            return event.value, True
        if event.tag == _PLAIN or _TAGS.get(event.tag) == "plain":
            return self._resolved(event), False
        if event.tag != "!" and _TAGS.get(event.tag) is None:
            self._refuse(event.line, f"the tag {event.tag!r} means nothing in a manifest")
        return event.value, False

    def _resolved(self, event: _Event) -> Any:
        try:
            return resolve(event.value)
        except ValueError as error:
            self._refuse(event.line, str(error))

    def _value(self, node: _Node, path: Path, *, is_aliased: bool) -> Any:
        if node.kind == "alias":
            return self._value(node.value, path, is_aliased=True)
        self._aliased += is_aliased
        if self._aliased > MAX_ALIASED_VALUES:
            self._refuse(node.line, f"aliases expand to more than {MAX_ALIASED_VALUES} values")
        self._lines.setdefault(render_path(path), node.line)
        if node.kind == "scalar":
            return node.value
        if id(node) in self._open:
            self._refuse(node.line, "an alias refers to a value that contains it")
        self._open.add(id(node))
        try:
            if node.kind == "[":
                items = enumerate(node.value)
                return [self._value(item, (*path, index), is_aliased=is_aliased) for index, item in items]
            return self._mapping(node, path, is_aliased=is_aliased)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: _Node, path: Path, *, is_aliased: bool) -> dict[str, Any]:
        """A key of the mapping's own wins over merged ones, and an earlier merge over a later."""
        own: dict[str, Any] = {}
        for key, value in node.value:
            if key.is_merge:
                continue
            name = self._key(key)
            if name in own:
                self._refuse(key.line, f"the key {name!r} is given twice", path=path)
            # The line of the key, since a block value starts on the line after it.
            self._lines.setdefault(render_path((*path, name)), key.line)
            own[name] = self._value(value, (*path, name), is_aliased=is_aliased)
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if key.is_merge:
                for source in self._merge_sources(value):
                    inherited = self._value(source, path, is_aliased=True)
                    merged.update({name: item for name, item in inherited.items() if name not in merged})
        return {**{name: item for name, item in merged.items() if name not in own}, **own}

    def _merge_sources(self, node: _Node) -> list[_Node]:
        while node.kind == "alias":
            node = node.value
        sources = node.value if node.kind == "[" else [node]
        resolved = [source.value if source.kind == "alias" else source for source in sources]
        if any(source.kind != "{" for source in resolved):
            self._refuse(node.line, "'<<' merges an object or a list of objects")
        return resolved

    def _key(self, node: _Node) -> str:
        """Keys are text in JSON: numbers and booleans are written out, as Kubernetes does."""
        while node.kind == "alias":
            node = node.value
        if node.kind != "scalar" or node.value is None:
            self._refuse(node.line, "a key must be text")
        return node.value if isinstance(node.value, str) else json.dumps(node.value)

    def _refuse(self, line: int, message: str, *, path: Path = ()) -> NoReturn:
        _fail(Where(file=self._file, line=line, path=render_path(path)), message)


def _fail(where: Where, message: str) -> NoReturn:
    raise InvalidManifest([Problem(where=where, message=message)])
