"""What is installed in an image, read from layers in both forms that builders write."""

from pathlib import Path

import pytest

from fairlead.images.failures import BuildFailed
from fairlead.images.inventory import Package, packages_of
from support.saved_images import ABOVE, BASE, dockers, layer, oci, packed

EXPECTED = [
    Package(kind="deb", name="libc6", version="2.36-9", architecture="amd64", system="debian"),
    Package(kind="pypi", name="scikit-learn", version="1.7.2", license="BSD-3-Clause"),
]


@pytest.mark.parametrize("form", [dockers, oci], ids=["docker", "oci"])
def test_packages_of_all_layers_but_not_those_that_a_later_one_removed(form: object, tmp_path: Path) -> None:
    assert callable(form)

    assert packages_of(form(tmp_path / "image.tar", layer(BASE), layer(ABOVE))) == EXPECTED


def test_a_folder_that_a_layer_begins_anew_has_nothing_of_before(tmp_path: Path) -> None:
    image = oci(
        tmp_path / "image.tar", layer(BASE), layer({"var/lib/dpkg/.wh..wh..opq": "", "opt/.wh.old-1.dist-info": ""})
    )

    assert packages_of(image) == []


def test_alpines_packages_are_read_too(tmp_path: Path) -> None:
    files = {
        "lib/apk/db/installed": "P:musl\nV:1.2.5-r0\nA:x86_64\n\nP:busybox\nV:1.36\nA:x86_64\n",
        "etc/os-release": "ID=alpine\n",
    }

    found = packages_of(dockers(tmp_path / "image.tar", layer(files)))

    assert [(one.kind, one.name, one.version, one.system) for one in found] == [
        ("apk", "busybox", "1.36", "alpine"),
        ("apk", "musl", "1.2.5-r0", "alpine"),
    ]


@pytest.mark.parametrize("content", [b"", b"no tar", packed({"other": b""}), packed({"manifest.json": b"[]"})])
def test_what_is_no_image_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(content)

    with pytest.raises(BuildFailed, match="cannot be read as an image"):
        packages_of(tmp_path / "image.tar")
