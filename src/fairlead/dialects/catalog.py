"""Known images are runtimes: the tail of an image's name decides what runs in its place.

`Catalog` holds the built-in table and what a user added in `config.toml`. It refuses to guess: an image that is
not in it is a container. The registry's host never matters, so a mirror of a known image is known too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from fairlead.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What runs in place of an image: a `runtime` of ours, a user's Python class, or a command."""

    runtime: str
    variant: str = ""
    target: str = ""
    path: str = ""
    env: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    image: str = ""
    """The image that answers report; for `servers`, which have none in the manifest."""


_BUILTIN_IMAGES: Mapping[str, Entry] = {
    "sklearnserver": Entry(runtime="sklearn"),
    "kserve/sklearnserver": Entry(runtime="sklearn", variant="kserve"),
    "xgbserver": Entry(runtime="xgboost", variant="kserve"),
    "lgbserver": Entry(runtime="lightgbm", variant="kserve"),
    "predictiveserver": Entry(runtime="predictive", variant="kserve"),
    "huggingfaceserver": Entry(runtime="huggingface", variant="kserve"),
    "shap-explainer": Entry(runtime="shap"),
    "art-explainer": Entry(runtime="art"),
    "vllm-openai": Entry(runtime="huggingface", variant="vllm"),
    "vllm-openai-cpu": Entry(runtime="huggingface", variant="vllm"),
    # Other people's builds of the same server.
    "vllm-cpu-release-repo": Entry(runtime="huggingface", variant="vllm"),
    "llm-d": Entry(runtime="huggingface", variant="vllm"),
    "llm-d-cuda": Entry(runtime="huggingface", variant="vllm"),
    "llm-d-cpu": Entry(runtime="huggingface", variant="vllm"),
    "torchserve": Entry(runtime="pytorch", variant="torchserve"),
    "torchserve-kfs": Entry(runtime="pytorch", variant="torchserve"),
    "xgboostserver": Entry(runtime="xgboost"),
    "mlflowserver": Entry(runtime="mlflow"),
    "tfserving-proxy": Entry(runtime="tensorflow"),
    "tensorflow/serving": Entry(runtime="tensorflow"),
    "tritonserver": Entry(runtime="triton"),
    "mock_classifier": Entry(runtime="sample", variant="mock_classifier"),
    "fixed-model:0.1": Entry(runtime="sample", variant="fixed-model:0.1"),
    "fixed-model:0.2": Entry(runtime="sample", variant="fixed-model:0.2"),
    "echo-model": Entry(runtime="sample", variant="echo-model"),
    "mab_epsilon_greedy": Entry(runtime="sample", variant="mab_epsilon_greedy"),
    "mab_thompson_sampling": Entry(runtime="sample", variant="mab_thompson_sampling"),
}
_MLSERVER_FLAVOURS = ("sklearn", "xgboost", "lightgbm", "mlflow", "huggingface")
_STORAGE_INITIALIZERS = ("rclone-storage-initializer", "storage-initializer")
_OLD_SUFFIXES = ("_rest", "_grpc")
_CLASS_KEYS = ("class", "path", "env", "command")


class _Reference(NamedTuple):
    """An image's repository without its registry, as components, and its tag."""

    parts: tuple[str, ...]
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Image names to entries. `entries` are a user's, by `repository` or `repository:tag`; they beat the built-in
    ones. `servers` are prepackaged servers by the name a graph's `implementation` gives."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    servers: Mapping[str, Entry] = field(default_factory=dict)
    default_env_secret: str = ""
    """Secret for transfers whose manifest names none."""

    def find(self, image: str) -> Entry | None:
        """What runs in place of an image, `None` when it is not known."""
        return _find(self.entries, image) or _builtin(image)

    def is_mlserver(self, image: str) -> bool:
        """Whether the image is an MLServer, whatever it has installed: `find` knows those of one flavour."""
        return _find(self.entries, image) is None and _reference(image).parts[-1:] == ("mlserver",)

    def is_storage_initializer(self, image: str) -> bool:
        """Whether the image only fetches a model: `[uri, folder]` are its arguments."""
        parts = _reference(image).parts
        return bool(parts) and parts[-1] in _STORAGE_INITIALIZERS

    @classmethod
    def from_config(cls, config: Mapping[str, Any], base: Path) -> "Catalog":
        """The catalog of a configuration's `images` and `servers` tables; `base` is where relative paths start."""
        images = _table(config, "images")
        entries = {name: _entry(f'images."{name}"', value, base) for name, value in images.items()}
        catalog = cls(entries=entries, default_env_secret=_text(config, "default_env_secret"))
        servers = _table(config, "servers")
        return replace(catalog, servers={name: _server(catalog, name, value, base) for name, value in servers.items()})


def _reference(image: str) -> _Reference:
    name = image.strip().split("@", 1)[0]
    parts = name.split("/")
    last, _, tag = parts[-1].partition(":")
    parts[-1] = last
    if len(parts) > 1 and (parts[0] == "localhost" or "." in parts[0] or ":" in parts[0]):
        parts = parts[1:]
    return _Reference(tuple(parts), tag)


def _find(entries: Mapping[str, Entry], image: str) -> Entry | None:
    """The most specific entry: one with the tag before one without, more components before fewer."""
    asked = _reference(image)
    found = [(name, entry) for key, entry in entries.items() if _covers(name := _reference(key), asked)]
    if not found:
        return None
    return max(found, key=lambda pair: (bool(pair[0].tag), len(pair[0].parts)))[1]


def _covers(name: _Reference, asked: _Reference) -> bool:
    return asked.parts[-len(name.parts) :] == name.parts and name.tag in ("", asked.tag)


def _builtin(image: str) -> Entry | None:
    asked = _reference(image)
    *front, last = asked.parts
    if last == "mlserver":
        flavour = asked.tag.rpartition("-")[2]
        return Entry(runtime=flavour, variant="mlserver") if flavour in _MLSERVER_FLAVOURS else None
    if last.startswith("mock_classifier"):
        last = "mock_classifier"
    for suffix in _OLD_SUFFIXES:
        last = last.removesuffix(suffix)
    plain = "/".join((*front, last))
    return _find(_BUILTIN_IMAGES, f"{plain}:{asked.tag}" if asked.tag else plain)


def _entry(where: str, value: Any, base: Path) -> Entry:
    if not isinstance(value, Mapping):
        raise ConfigError(f"[{where}] must be a table with {_accepted(_CLASS_KEYS)}")
    unknown = sorted(set(value) - set(_CLASS_KEYS))
    if unknown:
        raise ConfigError(f"[{where}]: unknown key {unknown[0]!r}; accepted: {_accepted(_CLASS_KEYS)}")
    target, command = value.get("class"), value.get("command")
    if (target is None) == (command is None):
        raise ConfigError(f"[{where}] needs either class (a Python class) or command (a list), not both")
    common: dict[str, Any] = {"env": _env(where, value.get("env", {})), "path": _folder(where, value, base)}
    if target is not None:
        if not isinstance(target, str) or not all(part.isidentifier() for part in target.split(".")):
            raise ConfigError(f'[{where}]: class must be "Module" or "package.module.Class", got {target!r}')
        return Entry(runtime="python", target=target, **common)
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        raise ConfigError(f"[{where}]: command must be a list of text, got {command!r}")
    return Entry(runtime="command", command=tuple(command), **common)


def _server(catalog: Catalog, name: str, value: Any, base: Path) -> Entry:
    """A prepackaged server of the user's: a class or command like an image's, or the image itself."""
    where = f"servers.{name}"
    if not isinstance(value, Mapping):
        raise ConfigError(f"[{where}] must be a table with {_accepted(('image', *_CLASS_KEYS))}")
    image = value.get("image", "")
    if not isinstance(image, str):
        raise ConfigError(f"[{where}]: image must be text, got {image!r}")
    rest = {key: item for key, item in value.items() if key != "image"}
    if rest:
        return replace(_entry(where, rest, base), image=image)
    if not image:
        raise ConfigError(f"[{where}] needs {_accepted(('image', *_CLASS_KEYS))}")
    return replace(catalog.find(image) or Entry(runtime="container"), image=image)


def _folder(where: str, value: Mapping[str, Any], base: Path) -> str:
    path = value.get("path", "")
    if not isinstance(path, str):
        raise ConfigError(f"[{where}]: path must be a folder's name, got {path!r}")
    return str((base / Path(path).expanduser()).absolute()) if path else ""


def _env(where: str, value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
        raise ConfigError(f"[{where}]: env must be a table of text")
    return tuple(value.items())


def _table(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = config.get(name, {})
    if not isinstance(table, Mapping):
        raise ConfigError(f"[{name}] must be a table")
    return table


def _text(config: Mapping[str, Any], name: str) -> str:
    value = config.get(name, "")
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be text, got {value!r}")
    return value


def _accepted(keys: tuple[str, ...]) -> str:
    return ", ".join(keys)
