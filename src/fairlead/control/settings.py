"""The settings of one installation: defaults, then `config.toml`, then `FAIRLEAD_*` variables, then flags.

One table (`KEYS`) names every key with its type, default and meaning; reading, checking, the environment and the
documentation all follow it. A key that is not in it is refused with the file, the line and the nearest name: a
setting that is silently ignored costs an afternoon. No setting's value is ever printed, because one is a token.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fairlead.dataplane.access_policy import ACCEPTED, share_of
from fairlead.environments.mode import Mode
from fairlead.errors import ConfigError, Where
from fairlead.protocols.trace_context import Propagator
from fairlead.registry.values import STRATEGIES

if TYPE_CHECKING:
    from fairlead.images.building import ImageSettings

_MIB = 1024 * 1024
BUILDERS = ("buildkit", "docker", "buildah")
"""What may make images; found in this order by `fairlead.images`, which is too much to import for a list of names."""
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
_SIZE = re.compile(r"(\d+)\s*(?:([kmgt])(?:i?b)?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every process of one installation is started with. Field names are key names with `_` for `.`."""

    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int = 8081
    control_port: int = 8090
    token: str = field(default="", repr=False)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    default_env_secret: str = ""
    domain: str = "localhost"
    log_max_bytes: int = 10 * _MIB
    log_files: int = 3
    cache_max_bytes: int = 0
    environments_build: Mode = Mode.AUTO
    environments_compile: bool = False
    storage_allowed_roots: tuple[Path, ...] = ()
    access_log: str = "off"
    tracing_endpoint: str = ""
    tracing_sample: float = 1.0
    tracing_propagators: str = "tracecontext"
    registry_database: str = field(default="", repr=False)
    registry_store: str = ""
    registry_public_url: str = ""
    registry_transmission: str = "proxy"
    images: Mapping[str, Any] = field(default_factory=dict)
    servers: Mapping[str, Any] = field(default_factory=dict)
    registry_setup_token: str = field(default="", repr=False)
    registry_registration: bool = False
    registry_component_token: str = field(default="", repr=False)
    oidc: Mapping[str, Any] = field(default_factory=dict, repr=False)
    builds_registry: str = ""
    builds_repository: str = "yatai-bentos"
    builds_insecure: bool = False
    builds_ca_file: Path | None = None
    builds_builder: str = ""
    builds_base: str = ""
    builds_timeout_s: int = 3600
    base: Path = field(default_factory=Path.cwd)
    """The folder that relative paths in the file start from."""

    @property
    def is_open_to_network(self) -> bool:
        """Whether other machines can reach the ports."""
        return not is_loopback(self.host)

    @property
    def image_builds(self) -> "ImageSettings":
        """What is decided about images of bentos."""
        from fairlead.dialects.bento.image_places import ImagePlace
        from fairlead.images.building import ImageSettings

        place = ImagePlace(server=self.builds_registry, repository=self.builds_repository)
        return ImageSettings(
            place=place if self.builds_registry else None,
            is_insecure=self.builds_insecure,
            ca_file=self.builds_ca_file,
            builder=self.builds_builder,
            base=self.builds_base,
            timeout_s=float(self.builds_timeout_s),
        )

    @property
    def observation(self) -> dict[str, str]:
        """The variables by which gateway and workers are told what to log and trace. OpenTelemetry's own variables, set
        for all of Fairlead, say the same and win."""
        told = {"FAIRLEAD_ACCESS_LOG": self.access_log}
        if self.tracing_endpoint:
            told["OTEL_EXPORTER_OTLP_ENDPOINT"] = self.tracing_endpoint
            told["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio"
            told["OTEL_TRACES_SAMPLER_ARG"] = f"{self.tracing_sample:g}"
            told["OTEL_PROPAGATORS"] = self.tracing_propagators
        return told

    @property
    def catalog(self) -> dict[str, Any]:
        """What dialects need to know of it: what runs in place of an image or an implementation, and the Secret of
        transfers that name none."""
        secret = self.default_env_secret
        return {"images": dict(self.images), "servers": dict(self.servers), "default_env_secret": secret}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One setting: its name in the file (dots are tables), how to read it, and what it means."""

    name: str
    read: Callable[[Any], Any]
    accepts: str
    meaning: str
    has_variable: bool = True

    @property
    def field(self) -> str:
        return self.name.replace(".", "_")

    @property
    def variable(self) -> str:
        """The environment variable that overrides the file; empty for whole tables."""
        return f"FAIRLEAD_{self.field.upper()}" if self.has_variable else ""


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to a listener on `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def load(
    path: Path | None,
    *,
    environ: Mapping[str, str] = MappingProxyType({}),
    flags: Mapping[str, Any] = MappingProxyType({}),
    is_required: bool = False,
) -> Settings:
    """The settings in force. `path` may name a file that does not exist unless it `is_required` (somebody asked
    for it by name); flags whose value is `None` were not given. Raises `ConfigError` with every problem at once."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    if path is not None:
        _read_file(path, values, problems, is_required=is_required)
        values["base"] = path.resolve().parent
    _read_environment(environ, values, problems)
    for name, value in flags.items():
        if value is not None:
            _store(_BY_NAME[name], value, Where(file=f"--{name.replace('_', '-')}"), values, problems)
    if problems:
        raise ConfigError("\n".join(problems))
    settings = Settings(**values)
    _refuse_open_without_token(settings)
    if settings.tls_key is not None and settings.tls_cert is None:
        raise ConfigError(
            f"tls_key is set ({settings.tls_key}) and tls_cert is not; give both, or the certificate alone"
        )
    return settings


def _refuse_open_without_token(settings: Settings) -> None:
    if settings.is_open_to_network and not settings.token:
        raise ConfigError(
            f"host {settings.host} lets other machines in, so a token is needed: set FAIRLEAD_TOKEN or `token` in "
            "config.toml, or use --host 127.0.0.1"
        )


def _read_environment(environ: Mapping[str, str], values: dict[str, Any], problems: list[str]) -> None:
    for key in KEYS:
        text = environ.get(key.variable, "") if key.variable else ""
        if text:
            _store(key, text, Where(file=key.variable), values, problems)


def _read_file(path: Path, values: dict[str, Any], problems: list[str], *, is_required: bool) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if is_required:
            raise ConfigError(f"{path}: no such file") from None
        return
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path}: cannot be read: {problem}") from problem
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{path}: not TOML: {problem}") from problem
    _Reader(path, text, values, problems).read(document)


@dataclass
class _Reader:
    """Walks one document along `KEYS`."""

    path: Path
    text: str
    values: dict[str, Any]
    problems: list[str]

    def read(self, document: Mapping[str, Any], table: str = "") -> None:
        for name, value in document.items():
            self._read_one(f"{table}.{name}" if table else name, value)

    def _read_one(self, name: str, value: Any) -> None:
        key = _BY_NAME.get(name)
        if key is not None:
            _store(key, value, self._where(name), self.values, self.problems)
        elif name in _TABLES and isinstance(value, dict):
            self.read(value, name)
        elif name in _TABLES:
            self.problems.append(f"{self._where(name)}: is a table; write [{name}] and its keys below")
        else:
            self._refuse(name)

    def _refuse(self, name: str) -> None:
        table, _, last = name.rpartition(".")
        known = sorted(_accepted(table))
        near = difflib.get_close_matches(last, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        self.problems.append(f"{self._where(name)}: unknown key; {hint}Accepted here: {', '.join(known)}")

    def _where(self, name: str) -> Where:
        return Where(file=str(self.path), line=_line_of(self.text, name), path=name)


def _line_of(text: str, name: str) -> int:
    """The line that sets a key, 0 when it cannot be told. tomllib keeps no positions, and a message that names
    the line is worth this approximation: the last part of the key, at the start of a line, under its table."""
    table, _, last = name.rpartition(".")
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
        if header:
            current = header[1].split(".")[0] if "." not in table else header[1]
            if current == name or header[1] == name:
                return number
        elif re.match(rf"\s*[\"']?{re.escape(last)}[\"']?\s*[=.]", line) and current == table:
            return number
    return 0


def _store(key: Key, value: Any, where: Where, values: dict[str, Any], problems: list[str]) -> None:
    try:
        values[key.field] = key.read(value)
    except (ValueError, TypeError):
        problems.append(f"{where}: must be {key.accepts}")


def _accepted(table: str) -> set[str]:
    prefix = f"{table}." if table else ""
    inside = [key.name[len(prefix) :] for key in KEYS if key.name.startswith(prefix)]
    return {name.split(".")[0] for name in inside}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _host(value: Any) -> str:
    host = _text(value).strip("[]")
    if not host or re.search(r"[\s/]", host):
        raise ValueError
    return host


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    return int(value)


def _port(value: Any) -> int:
    port = _whole(value)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _count(value: Any) -> int:
    count = _whole(value)
    if count < 1:
        raise ValueError
    return count


def _flag(value: Any) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise ValueError
    return words[str(value).lower()]


def _domain(value: Any) -> str:
    name = _text(value).lower().rstrip(".")
    if not _DOMAIN.fullmatch(name):
        raise ValueError
    return name


def _size(value: Any) -> int:
    """Bytes: a whole number, or text with k, M, G or T (powers of 1024)."""
    if isinstance(value, bool):
        raise TypeError
    found = _SIZE.fullmatch(str(value).strip())
    if found is None:
        raise ValueError
    power = " kmgt".index(found[2].lower()) if found[2] else 0
    return int(found[1]) * int(1024**power)


def _policy(value: Any) -> str:
    text = "off" if value is False else str(value)
    try:
        share_of(text)
    except ConfigError:
        raise ValueError from None
    return text


def _share(value: Any) -> float:
    share = float(value)
    if isinstance(value, bool) or not 0 <= share <= 1:
        raise ValueError
    return share


def _address(value: Any) -> str:
    address = _text(value)
    if not address.startswith(("http://", "https://")):
        raise ValueError
    return address


def _address_if(value: Any) -> str:
    return _address(value).rstrip("/") if value else ""


def _strategy(value: Any) -> str:
    if value not in STRATEGIES:
        raise ValueError
    return _text(value)


def _propagators(value: Any) -> str:
    names = [name.strip() for name in _text(value).split(",")]
    if not names or any(name not in tuple(Propagator) for name in names):
        raise ValueError
    return ",".join(names)


def _folders(value: Any) -> tuple[Path, ...]:
    names = value.split(os.pathsep) if isinstance(value, str) else value
    folders = tuple(Path(_text(name)).expanduser() for name in names if name)
    if not all(folder.is_absolute() for folder in folders):
        raise ValueError
    return folders


def _file(value: Any) -> Path:
    path = Path(_text(str(value) if isinstance(value, Path) else value)).expanduser()
    if not path.is_absolute():
        raise ValueError
    return path


def _builder(value: Any) -> str:
    name = _text(value)
    if name and name not in BUILDERS:
        raise ValueError
    return name


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
        raise TypeError
    return value


KEYS: tuple[Key, ...] = (
    Key(name="host", read=_host, accepts="an address or host name", meaning="Where every port listens."),
    Key(name="port", read=_port, accepts="a port number, 0 to 65535", meaning="Predictions over HTTP."),
    Key(name="grpc_port", read=_port, accepts="a port number, 0 to 65535", meaning="Predictions over gRPC."),
    Key(name="control_port", read=_port, accepts="a port number, 0 to 65535", meaning="The Kubernetes-shaped API."),
    Key(name="token", read=_text, accepts="text", meaning="Bearer token that the control API asks for."),
    Key(
        name="tls_cert",
        read=_file,
        accepts="the absolute path of a file",
        meaning="PEM certificate chain; every port then speaks TLS.",
    ),
    Key(
        name="tls_key",
        read=_file,
        accepts="the absolute path of a file",
        meaning="PEM key of the certificate, when it is not in the same file.",
    ),
    Key(
        name="default_env_secret",
        read=_text,
        accepts="the name of a Secret",
        meaning="Secret with rclone variables for transfers whose manifest names none.",
    ),
    Key(
        name="domain",
        read=_domain,
        accepts="a domain name, such as localhost or models.example.com",
        meaning="What the host names of services end in; names under localhost need no DNS.",
    ),
    Key(
        name="log.max_bytes",
        read=_size,
        accepts='a size, such as 1048576 or "10M"',
        meaning="Size at which a log file is rotated.",
    ),
    Key(name="log.files", read=_count, accepts="a number, 1 or more", meaning="Files kept per log."),
    Key(
        name="cache.max_bytes",
        read=_size,
        accepts='a size, such as "20G"; 0 for no limit',
        meaning="Fetched models beyond this are dropped, least recently used first.",
    ),
    Key(
        name="environments.build",
        read=Mode,
        accepts=f"one of {', '.join(Mode)}",
        meaning="When a model's own list of libraries is installed for it; a manifest's annotation wins.",
    ),
    Key(
        name="environments.compile",
        read=_flag,
        accepts="true or false",
        meaning="Install packages that exist only as sources, which runs their setup code.",
    ),
    Key(
        name="storage.allowed_roots",
        read=_folders,
        accepts="a list of absolute folders",
        meaning="The only local folders models may be read from; empty for any.",
    ),
    Key(
        name="access_log",
        read=_policy,
        accepts=ACCEPTED,
        meaning="Which requests get a line in the log of the gateway and of the worker that answered.",
    ),
    Key(
        name="tracing.endpoint",
        read=_address,
        accepts="the URL of an OTLP/HTTP collector, such as http://localhost:4318",
        meaning="Where spans are sent; without it nothing is traced.",
    ),
    Key(
        name="tracing.sample",
        read=_share,
        accepts="a share, 0 to 1",
        meaning="The share of the traces that begin here to record.",
    ),
    Key(
        name="tracing.propagators",
        read=_propagators,
        accepts=f"some of {', '.join(Propagator)}, separated by commas",
        meaning="The headers that carry a trace on; all of them are understood.",
    ),
    Key(
        name="registry.database",
        read=_text,
        accepts="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME",
        meaning="The registry's database; a file of the home when empty.",
    ),
    Key(
        name="registry.store",
        read=_text,
        accepts="a URL: file:///PATH, s3://BUCKET/PREFIX, gs://… or az://…",
        meaning="Where the registry keeps models and bentos; a folder of the home when empty.",
    ),
    Key(
        name="registry.public_url",
        read=_address_if,
        accepts="the URL that clients reach the control port by, such as https://models.example.com",
        meaning="What signed addresses and logins through an identity provider begin with, if not what requests say.",
    ),
    Key(
        name="registry.transmission",
        read=_strategy,
        accepts=f"one of {', '.join(repr(name) for name in STRATEGIES)}",
        meaning="How models and bentos come and go: through the API, in signed parts, or in one signed request.",
    ),
    Key(
        name="images",
        read=_table,
        accepts='tables: [images."name"]',
        meaning="What runs in place of a container image.",
        has_variable=False,
    ),
    Key(
        name="servers",
        read=_table,
        accepts="tables: [servers.NAME]",
        meaning="Prepackaged servers of your own, by implementation name.",
        has_variable=False,
    ),
    Key(
        name="registry.setup_token",
        read=_text,
        accepts="text",
        meaning="Lets whoever has it make the first admin, once.",
    ),
    Key(
        name="registry.registration",
        read=_flag,
        accepts="true or false",
        meaning="Whether people may make themselves accounts, as guests.",
    ),
    Key(
        name="registry.component_token",
        read=_text,
        accepts="text",
        meaning="What Yatai's operators elsewhere send to be let in.",
    ),
    Key(
        name="oidc",
        read=_table,
        accepts="tables: [oidc.NAME]",
        meaning="Providers of identities that people may log in with.",
        has_variable=False,
    ),
    Key(
        name="builds.registry",
        read=_text,
        accepts="the host of a container registry, with its port, such as registry.example:5000",
        meaning="Where images of bentos go whose request names none; without it only images that are named are made.",
    ),
    Key(
        name="builds.repository",
        read=_text,
        accepts="the name of a repository",
        meaning="The repository of those images.",
    ),
    Key(
        name="builds.insecure",
        read=_flag,
        accepts="true or false",
        meaning="Whether that registry speaks HTTP without TLS.",
    ),
    Key(
        name="builds.ca_file",
        read=_file,
        accepts="the absolute path of a file",
        meaning="PEM certificates that registries of images are believed by, besides the system's.",
    ),
    Key(
        name="builds.builder",
        read=_builder,
        accepts=f"one of {', '.join(BUILDERS)}; empty for the first that works",
        meaning="What makes images.",
    ),
    Key(
        name="builds.base",
        read=_text,
        accepts="the name of an image",
        meaning="What bentos are built on, in place of what their Dockerfile names.",
    ),
    Key(
        name="builds.timeout_s",
        read=_count,
        accepts="a number of seconds, 1 or more",
        meaning="How long making an image may take when its request does not say.",
    ),
)
_BY_NAME = {key.name: key for key in KEYS}
_TABLES = {key.name.split(".")[0] for key in KEYS if "." in key.name}


def defaults() -> dict[str, Any]:
    """Every key with its default, by its name in the file."""
    plain = Settings(base=Path())
    names = {field.name for field in fields(Settings)}
    return {key.name: getattr(plain, key.field) for key in KEYS if key.field in names}
