"""Changes to the text of a Dockerfile that is somebody else's, or ours: its base, and where packages come from.

A package index without a password is an argument of every stage that installs. One with a password is a file that steps
see and layers do not (`RUN --mount=type=secret`), because arguments are kept in what builders remember of an image.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_FROM = re.compile(r"^(FROM\s+(?:--platform=\S+\s+)?)(\S+)((?:\s+AS\s+(\S+))?\s*)$", re.IGNORECASE)
_RUN = re.compile(r"^(RUN)(\s+)", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?[\"']?(\w+)")
PIP_SECRET, UV_SECRET = "fairlead-pip", "fairlead-uv"
_MOUNTS = (
    f"--mount=type=secret,id={PIP_SECRET},target=/etc/pip.conf,mode=0444 "
    f"--mount=type=secret,id={UV_SECRET},target=/etc/uv/uv.toml,mode=0444"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageIndex:
    """Where packages come from, in place of PyPI or besides it."""

    url: str = field(default="", repr=False)
    extra_urls: tuple[str, ...] = field(default=(), repr=False)
    trusted_hosts: tuple[str, ...] = ()

    @property
    def is_secret(self) -> bool:
        """Whether an address holds a password."""
        return any(urlsplit(url).password or urlsplit(url).username for url in (self.url, *self.extra_urls) if url)

    @property
    def arguments(self) -> dict[str, str]:
        """As pip and uv read it from variables."""
        said = {
            "PIP_INDEX_URL": self.url,
            "UV_DEFAULT_INDEX": self.url,
            "PIP_EXTRA_INDEX_URL": " ".join(self.extra_urls),
            "UV_INDEX": " ".join(self.extra_urls),
            "PIP_TRUSTED_HOST": " ".join(self.trusted_hosts),
            "UV_INSECURE_HOST": " ".join(self.trusted_hosts),
        }
        return {name: value for name, value in said.items() if value}

    @property
    def files(self) -> dict[str, str]:
        """As pip and uv read it from files, by the ids of secrets."""
        if not self.is_secret:
            return {}
        pip = [("index-url", self.url), ("extra-index-url", "\n ".join(self.extra_urls))]
        pip.append(("trusted-host", "\n ".join(self.trusted_hosts)))
        lines = ["[global]", *(f"{name} = {value}" for name, value in pip if value)]
        return {PIP_SECRET: "\n".join(lines) + "\n", UV_SECRET: self._for_uv()}

    def _for_uv(self) -> str:
        lines = [f"allow-insecure-host = {json.dumps(self.trusted_hosts)}"]
        for url in self.extra_urls:
            lines += ["[[index]]", f'url = "{url}"']
        if self.url:
            lines += ["[[index]]", f'url = "{self.url}"', "default = true"]
        return "\n".join(lines) + "\n"


def index_of(environ: Mapping[str, str]) -> PackageIndex:
    """The package index that pip's variables name. Folders of this machine are not in the place where steps run."""
    named = (environ.get("PIP_INDEX_URL", ""), *environ.get("PIP_EXTRA_INDEX_URL", "").split())
    url, *extra = (one if not one.startswith(("file:", "/")) else "" for one in named)
    return PackageIndex(
        url=url,
        extra_urls=tuple(one for one in extra if one),
        trusted_hosts=tuple(environ.get("PIP_TRUSTED_HOST", "").split()),
    )


def with_base(text: str, base: str) -> str:
    """The Dockerfile on another base: the image of its first stage is replaced, wherever it stands."""
    lines = text.splitlines()
    first = next((match for line in lines if (match := _FROM.match(line))), None)
    if first is None or not base:
        return text
    return _joined(_based(lines, first[2], base))


def with_index(text: str, index: PackageIndex) -> str:
    """The Dockerfile with its packages from there."""
    if index.is_secret:
        return _joined(_mounted(text.splitlines()))
    if not index.arguments:
        return text
    return _joined(_argued(text.splitlines(), index.arguments))


def _based(lines: list[str], old: str, base: str) -> Iterator[str]:
    stages: set[str] = set()
    for line in lines:
        match = _FROM.match(line)
        if match is not None and match[2] == old and old.lower() not in stages:
            line = f"{match[1]}{base}{match[3]}"
        if match is not None and match[4]:
            stages.add(match[4].lower())
        yield line


def _argued(lines: list[str], arguments: Mapping[str, str]) -> Iterator[str]:
    for line in lines:
        yield line
        if _FROM.match(line):
            yield from (f"ARG {name}" for name in sorted(arguments))


def _mounted(lines: list[str]) -> Iterator[str]:
    """Texts of here-documents and continued lines are no instructions."""
    until, goes_on = "", False
    for line in lines:
        if until:
            until = "" if line.strip() == until else until
        elif not goes_on or line.lstrip().startswith("#"):
            heredoc = _HEREDOC.search(line) if _RUN.match(line) else None
            until = heredoc[1] if heredoc else ""
            line = _RUN.sub(rf"\1 {_MOUNTS}\2", line)
        goes_on = goes_on if line.lstrip().startswith("#") and goes_on else line.rstrip().endswith("\\")
        yield line


def _joined(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"
