"""Reads `bento.yaml` in the words of every BentoML from 1.0 to 1.4.

Old-style bentos (`bentoml.Service`) list runners and APIs and what their image is made of in three blocks; new-style
ones (`@bentoml.service`) list services and routes, and those since 1.3 have one block for the image. 1.2 is in between.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fairlead.errors import Permanent
from fairlead.plan.bentos import BentoStyle
from fairlead.runtimes.bento.values import Api, Description, Image, Packages, Runner, Service

FILE = "bento.yaml"
_LARGEST_BYTES = 16 * 1024**2


class BadBento(Permanent):
    """A folder that is no bento, or one whose description makes no sense."""

    http, reason = 422, "BadBento"


def is_bento(folder: Path) -> bool:
    """Whether a folder looks like one."""
    return (folder / FILE).is_file()


def describe(folder: Path) -> Description:
    """The bento in a folder. Raises `BadBento`."""
    path = folder / FILE
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise BadBento(f"{FILE} is larger than {_LARGEST_BYTES} bytes, which no bento's is")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadBento(f"there is no {FILE} in it, so this is no bento; accepted: what `bentoml build` makes") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadBento(f"{FILE} cannot be read: {' '.join(str(error).split())[:300]}") from error
    return read(content)


def read(content: object) -> Description:
    """A parsed `bento.yaml`, or the manifest that clients push, which has the same keys. Raises `BadBento`."""
    if not isinstance(content, dict):
        raise BadBento(f"{FILE} holds no mapping")
    for key in ("name", "version", "service", "bentoml_version"):
        if not isinstance(content.get(key), str) or not content[key]:
            raise BadBento(f"{FILE} has no {key}")
    services = _services(content)
    runners = tuple(_runner(one) for one in _items(content, "runners"))
    listed = (*_tags(content, "models"), *_of_all(services), *_of_all(runners))
    return Description(
        name=content["name"],
        version=content["version"],
        service=content["service"],
        bentoml_version=content["bentoml_version"],
        style=BentoStyle.NEW if services else BentoStyle.OLD,
        created_at=str(content.get("creation_time") or ""),
        labels=_pairs(content.get("labels")),
        models=tuple(dict.fromkeys(listed)),
        runners=runners,
        services=services,
        apis=tuple(_apis(content)),
        envs=tuple((_text(one, "name"), _text(one, "value")) for one in _items(content, "envs")),
        image=_image(content),
        packages=_packages(content),
    )


def _of_all(owners: Sequence[Service | Runner]) -> tuple[str, ...]:
    return tuple(tag for owner in owners for tag in owner.models)


def _services(content: Mapping[str, Any]) -> tuple[Service, ...]:
    found = tuple(_service(one) for one in _items(content, "services"))
    entry = _text(content, "entry_service")
    if found and entry not in {one.name for one in found}:
        raise BadBento(f"{FILE}: the entry service {entry!r} is not among its services")
    return tuple(sorted(found, key=lambda one: one.name != entry))


def _service(one: Mapping[str, Any]) -> Service:
    config = one.get("config")
    return Service(
        name=_text(one, "name"),
        models=_tags(one, "models"),
        dependencies=tuple(_dependencies(one)),
        config=config if isinstance(config, dict) else {},
    )


def _dependencies(one: Mapping[str, Any]) -> Iterator[str]:
    """Those inside the bento: names in 1.2, and since 1.3 mappings that may name a deployment or a URL instead."""
    listed = one.get("dependencies")
    for dependency in listed if isinstance(listed, list) else ():
        name = dependency.get("service") if isinstance(dependency, dict) else dependency
        if isinstance(name, str) and name:
            yield name


def _runner(one: Mapping[str, Any]) -> Runner:
    models = one.get("models")
    return Runner(
        name=_text(one, "name"),
        type=_text(one, "runnable_type"),
        models=tuple(str(tag) for tag in models) if isinstance(models, list) else (),
        is_embedded=one.get("embedded") is True,
    )


def _apis(content: Mapping[str, Any]) -> Iterator[Api]:
    for one in _items(content, "apis"):
        yield Api(name=_text(one, "name"), route=f"/{_text(one, 'name')}")
    schema = content.get("schema")
    for one in _items(schema, "routes") if isinstance(schema, dict) else ():
        output = one.get("output")
        yield Api(
            name=_text(one, "name"),
            route=_text(one, "route"),
            is_task=one.get("is_task") is True,
            is_stream=isinstance(output, dict) and output.get("is_stream") is True,
        )


def _image(content: Mapping[str, Any]) -> Image:
    new, old, conda = (_mapping(content, key) for key in ("image", "docker", "conda"))
    if new:
        commands = (*_texts(new, "commands"), *_texts(new, "post_commands"))
        return Image(base=_text(new, "base_image"), commands=commands)
    return Image(
        base=_text(old, "base_image"),
        distro=_text(old, "distro"),
        cuda=_text(old, "cuda_version"),
        system_packages=_texts(old, "system_packages"),
        setup_script=_text(old, "setup_script"),
        has_template=bool(_text(old, "dockerfile_template")),
        conda=tuple(_conda(conda)),
        env=_pairs(old.get("env")),
    )


def _conda(conda: Mapping[str, Any]) -> Iterator[str]:
    if conda.get("environment_yml"):
        yield str(conda["environment_yml"])
    yield from (str(entry) for entry in conda.get("dependencies") or () if not isinstance(entry, dict))


def _conda_pip(conda: Mapping[str, Any]) -> Iterator[str]:
    yield from _texts(conda, "pip")
    for entry in conda.get("dependencies") or ():
        yield from _texts(entry, "pip") if isinstance(entry, dict) else ()


def _packages(content: Mapping[str, Any]) -> Packages:
    new, docker, python, conda = (_mapping(content, key) for key in ("image", "docker", "python", "conda"))
    return Packages(
        python_version=_text(new, "python_version") or _text(docker, "python_version"),
        requirements=_text(new, "python_requirements"),
        options=tuple(_options(python)),
        conda=tuple(_conda_pip(conda)),
    )


def _options(python: Mapping[str, Any]) -> Iterator[str]:
    """Where the packages come from. Since 1.3 these lines are in the list itself."""
    if python.get("no_index") is True:
        yield "--no-index"
    if url := _text(python, "index_url"):
        yield f"--index-url {url}"
    yield from (f"--extra-index-url {url}" for url in _texts(python, "extra_index_url"))
    yield from (f"--find-links {url}" for url in _texts(python, "find_links"))


def _mapping(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def _items(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    listed = content.get(key)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _texts(content: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = content.get(key)
    return tuple(str(one) for one in found) if isinstance(found, list) else (found,) if isinstance(found, str) else ()


def _tags(content: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Models stand as tags, or as mappings with one. Those of the Hugging Face Hub are not among them: BentoML gets
    them from there itself."""
    listed = content.get(key)
    found = listed if isinstance(listed, list) else []
    ours = [one for one in found if not isinstance(one, dict) or one.get("registry") != "huggingface"]
    tags = (one.get("tag") if isinstance(one, dict) else one for one in ours)
    return tuple(str(tag) for tag in tags if tag)


def _text(content: Mapping[str, Any], key: str) -> str:
    found = content.get(key)
    return "" if found is None else str(found)


def _pairs(content: object) -> tuple[tuple[str, str], ...]:
    """Labels and variables; the latter may stand as a list of `KEY=value`."""
    if isinstance(content, dict):
        return tuple((str(key), "" if value is None else str(value)) for key, value in content.items())
    if isinstance(content, list):
        return tuple((key, value) for key, _, value in (str(one).partition("=") for one in content))
    return ()
