"""Whether a registry has an image: real ones, with and without login and TLS, and one that wants tokens."""

import json
from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.images.access import Access
from fairlead.images.remote import digest_of
from support.certificates import make_certificate
from support.registry import front, registry
from support.web_files import file_server

pytestmark = pytest.mark.slow


def test_a_tag_that_is_there_has_a_digest_and_one_that_is_not_has_none(tmp_path: Path) -> None:
    with registry(tmp_path / "registry") as served:
        digest = served.push_image("acme/iris", b"layer", tag="v1")

        assert digest_of(f"{served.host}/acme/iris:v1", Access()) == digest
        assert digest_of(f"{served.host}/acme/iris@{digest}", Access()) == digest
        assert digest_of(f"{served.host}/acme/iris:v2", Access()) == ""
        assert digest_of(f"{served.host}/acme/nothing:v1", Access()) == ""


def test_a_login_is_used_and_a_wrong_one_is_refused_without_being_shown(tmp_path: Path) -> None:
    with registry(tmp_path / "registry", is_private=True) as served:
        digest = served.push_image("acme/iris", b"layer")
        image = f"{served.host}/acme/iris:latest"
        helped = Access(config=json.dumps({"credsStore": "desktop"}))

        assert digest_of(image, Access(config=served.config())) == digest
        with pytest.raises(StorageError, match="asked as robot") as caught:
            digest_of(image, Access(config=served.config(password="not-the-password")))
        with pytest.raises(StorageError, match="asked without a login"):
            digest_of(image, Access())
        with pytest.raises(
            StorageError, match="kept by docker-credential-desktop, a program that Fairlead does not run"
        ):
            digest_of(image, helped)

    assert "not-the-password" not in str(caught.value)


def test_a_token_service_is_asked_when_the_registry_names_one(tmp_path: Path) -> None:
    with registry(tmp_path / "registry") as behind, file_server() as blobs, front(behind, blobs) as before:
        behind.push_image("acme/iris", b"layer")

        assert digest_of(f"{before.host}/acme/iris:latest", Access(config=behind.config(before.host)))


def test_an_authority_of_ones_own_is_believed_and_others_are_not(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, "IP:127.0.0.1")
    with registry(tmp_path / "registry", certificate=(cert, key)) as served:
        image = f"{served.host}/acme/iris:latest"

        assert digest_of(image, Access(ca_pem=cert.read_text())) == ""
        with pytest.raises(StorageError, match="certificate is not trusted"):
            digest_of(image.replace("127.0.0.1", "127.0.0.1"), Access(ca_pem=_another(tmp_path)))


def _another(folder: Path) -> str:
    (folder / "other").mkdir()
    return make_certificate(folder / "other")[0].read_text()
