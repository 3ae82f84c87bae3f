"""What real API servers say of our definitions, of the manifests of all golden folders, and of what they become."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.backends.kubernetes.install.crds import definitions
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.seldon import SeldonDialect
from support import golden_objects
from support.real_servers import CURRENT, WHOLE, Server, missing

if why := missing(WHOLE) or missing(CURRENT):
    pytest.skip(why, allow_module_level=True)
pytestmark = pytest.mark.slow
# Fields and kinds that came after 1.20, and manifests that ask for more than their own limit.
_TOO_NEW = frozenset(
    (
        *("custom-predictor", "image-volume", "own-runtime", "pod-fields", "whole-pods"),
        *("request", "request-done", "request-multi-tenant", "request-tuned"),
    )
)
_CONTRADICTORY = frozenset(("models-of-others", "sklearn-s3"))
_OF_OLD = frozenset(("apps/v1", "v1", "networking.k8s.io/v1", "batch/v1"))
# `command: null`, which no API server takes for a list.
_NOT_STRUCTURAL = frozenset(("unknown-fields",))


@pytest.fixture(scope="module")
def current() -> Iterator[Server]:
    server = Server(CURRENT)
    with server.client:
        established(server)
        yield server


@pytest.fixture(scope="module")
def whole() -> Iterator[Server]:
    server = Server(WHOLE)
    with server.client:
        yield server


@pytest.mark.parametrize("which", ["current", "whole"])
def test_every_definition_is_established(which: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(which)

    told = established(server)

    assert set(told.values()) == {(("Established", "True"), ("NamesAccepted", "True"))}, told


def established(server: Server) -> dict[str, tuple[tuple[str, str], ...]]:
    """What the server says of each of our definitions, once it has looked at it."""
    told = {}
    for definition in definitions([SeldonDialect(), KServeDialect(), BentoDialect()]):
        kept, name = server.keep(definition), definition["metadata"]["name"]
        path = server.resource(definition).path("", name)
        while not (said := _conditions(kept)) or ("Established", "True") not in said:
            kept = dict(server.client.get(path))  # ends with the test's time where the server never takes it
        told[name] = said
    return told


@pytest.mark.parametrize("folder", golden_objects.folders(), ids=lambda folder: folder.name)
def test_no_field_of_a_manifest_is_lost(folder: Path, current: Server) -> None:
    """Admission webhooks, which may be there too, refuse what the installation lacks; they are no subject here."""
    for manifest in documents(folder / "manifest.yaml"):
        manifest.pop("status", None)
        manifest["metadata"] = {
            key: value for key, value in manifest["metadata"].items() if key in ("name", "labels", "annotations")
        }

        made = current.try_out(manifest, is_strict=True)

        if str(manifest["apiVersion"]).startswith("serving.yatai.ai/v1"):
            assert "conversion webhook" in made  # no field is lost where nobody converts
        elif folder.name in _NOT_STRUCTURAL:
            assert "null" in made
        elif isinstance(made, str):
            assert "admission webhook" in made, made
        else:
            assert [one for one in lost(manifest, made) if ".predictor." not in one] == []


@pytest.mark.parametrize("folder", golden_objects.folders(), ids=lambda folder: folder.name)
def test_objects_are_what_an_api_server_takes(folder: Path, whole: Server) -> None:
    made = [
        whole.try_out(wanted)
        for wanted in documents(folder / golden_objects.EXPECTED)
        if wanted["apiVersion"] in _OF_OLD
    ]
    refused = [one for one in made if isinstance(one, str)]

    if folder.name in _TOO_NEW:
        assert all("field not declared in schema" in one for one in refused)
        assert refused
    elif folder.name in _CONTRADICTORY:
        assert all("must be less than or equal to memory limit" in one for one in refused)
        assert refused
    else:
        assert refused == []


def _conditions(definition: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found = (definition.get("status") or {}).get("conditions") or ()
    return tuple(sorted((one["type"], one["status"]) for one in found))


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def lost(wanted: Any, made: Any, path: str = "") -> Iterator[str]:
    """Where something is not that was sent."""
    if isinstance(wanted, Mapping):
        for key, value in wanted.items():
            inner = f"{path}.{key}"
            if value is None:
                continue
            if not isinstance(made, Mapping) or key not in made:
                yield inner
            else:
                yield from lost(value, made[key], inner)
    elif isinstance(wanted, list):
        if not isinstance(made, list) or len(made) != len(wanted):
            yield path
        else:
            for index, pair in enumerate(zip(wanted, made, strict=True)):
                yield from lost(*pair, f"{path}[{index}]")
