"""The context of a model or of a class: it, what it asks for, this Fairlead, and a Dockerfile that puts them together.

The image runs as user 8888, writes to /tmp alone, and answers as the server does in whose place it is put: a model as
the model servers of KServe's runtimes (`fairlead model-server`), a class as Seldon's Python wrapper (`fairlead serve`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from fairlead.errors import UnknownRuntime
from fairlead.images.contexts.context import Context
from fairlead.images.contexts.dockerfile import PackageIndex, with_index
from fairlead.images.contexts.own_wheel import libraries, pins, write_wheel
from fairlead.images.contexts.staging import copy_tree
from fairlead.runtimes.registry import extra_of
from fairlead.runtimes.requirements import to_install, wanted_by

BASE = "docker.io/library/python:3.12-slim-bookworm"
"""Python 3.11 or newer with `venv` and pip, as the project's own image."""
_MODEL, _CODE, _HOME = "/mnt/models", "/code", "/tmp"  # noqa: S108 - the place that an image's user may write to
_SYSTEM_PACKAGES = {"lightgbm": ("libgomp1",)}
"""What a runtime's wheels expect of the system."""
_EXTRAS = {"vllm": "huggingface"}
"""Formats of `model-server` that another runtime serves, by its extra."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What is put into an image: a model with its `format`, or a class with its `target`. `packages` are Debian's, for
    what the requirements need of the system. `has_fairlead` says that the base is an image with Fairlead in it, and
    with the format's libraries: then only what the model itself asks for is installed."""

    folder: Path
    format: str = ""
    target: str = ""
    name: str = "model"
    packages: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    has_fairlead: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


def lay_out_served(
    served: Served, target: Path, *, base: str = "", index: PackageIndex | None = None, may_compile: bool = False
) -> Context:
    """Fill an empty folder."""
    (target / "install").mkdir(parents=True)
    copy_tree(served.folder, target / "content")
    asked = _write_lists(served, target / "install")
    file = target / "Dockerfile"
    text = "\n".join(_dockerfile(served, base or BASE, asked, may_compile=may_compile)) + "\n"
    written = index or PackageIndex()
    file.write_text(with_index(text, written))
    return Context(
        folder=target,
        dockerfile=file,
        build_args={} if written.is_secret else written.arguments,
        files=written.files,
    )


def _write_lists(served: Served, install: Path) -> str:
    """Requirements and constraints; gives the words by which they are installed, empty for nothing at all."""
    wanted = wanted_by(served.folder if served.folder.is_dir() else None)
    extras = sorted({*served.extras, *_extras(served)})
    lines: list[str] = []
    pinned: Sequence[str] = wanted.constraints if wanted else ()
    if wanted is not None:
        # The model's own versions come first, so what its runtime needs is asked for by name alone.
        needed = [] if served.has_fairlead else [name for extra in extras for name in libraries(extra)]
        lines = [*wanted.options, *(_brought(line, install) for line in to_install(wanted)), *needed]
        extras = []
    elif not served.has_fairlead:
        # Nobody says which versions: those that are here have been tried.
        pinned = [pin for extra in extras or [""] for pin in pins(extra)]
    if served.has_fairlead and not lines:
        return ""
    (install / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
    (install / "constraints.txt").write_text("".join(f"{line}\n" for line in sorted(set(pinned))))
    words = "--requirement /install/requirements.txt --constraint /install/constraints.txt"
    if served.has_fairlead:
        return words
    wheel = write_wheel(install).name
    extra = f"[{','.join(extras)}]" if extras else ""
    return f'{words} "/install/{wheel}{extra}"'


def _brought(line: str, install: Path) -> str:
    """A requirement that is a wheel beside the model comes along."""
    name, _, url = line.partition(" @ file://")
    if not url:
        return line
    path = Path(unquote(url))
    copy_tree(path, install / "wheels")
    return f"{name} @ file:///install/wheels/{path.name}"


def _dockerfile(served: Served, base: str, asked: str, *, may_compile: bool) -> Iterator[str]:
    """What installs is in a stage of its own, and so in no layer of the image."""
    if asked:
        yield from _installing(served, base, asked, may_compile=may_compile)
    yield f"FROM {base}"
    yield "USER root"
    if packages := sorted({*served.packages, *_SYSTEM_PACKAGES.get(served.format, ())}):
        yield (
            f"RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends {' '.join(packages)}"
            " && rm -rf /var/lib/apt/lists/* /var/log/*.log /var/log/apt /var/cache/ldconfig/aux-cache"
        )
    if not served.has_fairlead:
        yield (
            'RUN echo "fairlead:x:8888:8888:Fairlead:/tmp:/usr/sbin/nologin" >> /etc/passwd'
            ' && echo "fairlead:x:8888:" >> /etc/group'
        )
    if asked:
        yield "COPY --from=build /opt/fairlead /opt/fairlead"
    yield f"COPY content {_CODE if served.target else _MODEL}"
    yield (
        "ENV PATH=/opt/fairlead/bin:$PATH HOME=/tmp FAIRLEAD_POD_HOST=0.0.0.0 PYTHONDONTWRITEBYTECODE=1"
        " PYTHONUNBUFFERED=1"
    )
    yield from (f"ENV {name}={_literal(value)}" for name, value in sorted(served.env.items()))
    yield f"WORKDIR {_CODE if served.target else _HOME}"
    yield "USER 8888:8888"
    yield f"EXPOSE {'9000 6000' if served.target else '8080 8081'}"
    yield "STOPSIGNAL SIGTERM"
    yield 'ENTRYPOINT ["fairlead"]'
    yield f"CMD {json.dumps(_command(served))}"


def _installing(served: Served, base: str, asked: str, *, may_compile: bool) -> Iterator[str]:
    yield f"FROM {base} AS build"
    yield "USER root"
    yield "ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1"
    made = "" if served.has_fairlead else "python3 -m venv --without-pip /opt/fairlead && "
    yield f'RUN {made}python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet "uv>=0.8"'
    yield "COPY install /install"
    # Sources are compiled on demand alone: that runs their code here.
    only_wheels = "" if may_compile else " --only-binary :all:"
    yield (
        "RUN UV_INDEX_STRATEGY=unsafe-best-match UV_SYSTEM_CERTS=true /opt/uv/bin/uv pip install --no-cache"
        f" --python /opt/fairlead/bin/python{only_wheels} {asked}"
        # uv notes of a wheel that is a file when that was made, here: a moment ago.
        " && for note in $(find /opt/fairlead/lib -name uv_cache.json); do"
        ' rm "$note" && sed -i /uv_cache.json/d "$(dirname "$note")/RECORD"; done'
    )
    # One process and a fixed seed: otherwise the order of a set's members is another one in each image.
    yield (
        "RUN PYTHONHASHSEED=0 /opt/fairlead/bin/python -m compileall -q --invalidation-mode unchecked-hash"
        " /opt/fairlead/lib || true"
    )


def _command(served: Served) -> list[str]:
    if served.target:
        return ["serve", served.target]
    return ["model-server", "--format", served.format, "--model_name", served.name, "--model_dir", _MODEL]


def _extras(served: Served) -> Iterator[str]:
    if served.target:
        return
    try:
        extra = _EXTRAS.get(served.format) or extra_of(served.format)
    except UnknownRuntime:
        extra = ""  # MLServer's folders may hold any format; their requirements say which
    if extra:
        yield extra


def _literal(value: str) -> str:
    """A value in which a Dockerfile replaces nothing."""
    return json.dumps(value, ensure_ascii=False).replace("$", "\\$")
