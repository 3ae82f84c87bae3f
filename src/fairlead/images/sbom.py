"""A bill of materials of an image, as CycloneDX 1.6 JSON. The same image gives the same list in the same order."""

import uuid
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairlead.errors import MissingExtra
from fairlead.images.inventory import Package, packages_of

if TYPE_CHECKING:
    from cyclonedx.model.component import Component


def write_sbom(archive: Path, target: Path, *, image: str, digest: str, now: datetime) -> int:
    """Write what is in a saved image; gives the number of packages. Raises `MissingExtra` or `BuildFailed`."""
    text, count = _text(packages_of(archive), image=image, digest=digest, now=now)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return count


def need_cyclonedx() -> None:
    """Raise `MissingExtra` before anything was built in vain."""
    if find_spec("cyclonedx") is None:
        raise MissingExtra(library="cyclonedx-python-lib", extra="sbom")


def _text(packages: list[Package], *, image: str, digest: str, now: datetime) -> tuple[str, int]:
    need_cyclonedx()
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    subject = Component(name=image, version=digest, type=ComponentType.CONTAINER, bom_ref=f"{image}@{digest}")
    components = [_component(package) for package in packages]
    bom = Bom(components=components, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{image}@{digest}"))
    bom.metadata.component = subject
    bom.metadata.timestamp = now
    bom.register_dependency(subject, components)
    return JsonV1Dot6(bom).output_as_string(indent=2), len(components)


def _component(package: Package) -> "Component":
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import LicenseExpression
    from packageurl import PackageURL

    qualifiers = {"arch": package.architecture} if package.architecture else None
    address = PackageURL(package.kind, package.system or None, package.name, package.version, qualifiers)
    more: dict[str, Any] = {"licenses": [LicenseExpression(package.license)]} if package.license else {}
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=address,
        bom_ref=address.to_string(),
        **more,
    )
