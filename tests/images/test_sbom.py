"""Bills of materials that other tools read."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fairlead.errors import MissingExtra
from fairlead.images import sbom
from support.saved_images import ABOVE, BASE, layer, oci


@pytest.mark.slow(3)
def test_it_is_valid_and_the_same_each_time(tmp_path: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    image = oci(tmp_path / "image.tar", layer(BASE), layer(ABOVE))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for name in ("a", "b"):
        count = sbom.write_sbom(image, tmp_path / name / "sbom.json", image="r.example/a:1", digest="sha256:1", now=now)
    text = (tmp_path / "a/sbom.json").read_text()

    assert count == 2
    assert text == (tmp_path / "b/sbom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    said = json.loads(text)
    assert said["metadata"]["component"]["name"] == "r.example/a:1"
    assert [one["purl"] for one in said["components"]] == [
        "pkg:deb/debian/libc6@2.36-9?arch=amd64",
        "pkg:pypi/scikit-learn@1.7.2",
    ]


def test_without_its_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "find_spec", lambda _name: None)

    with pytest.raises(MissingExtra, match=r"fairlead\[sbom\]"):
        sbom.need_cyclonedx()
