import pytest

from fairlead.errors import StorageError
from fairlead.storage.oci.reference import Reference, parse

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("written", "host", "repository", "version"),
    [
        ("ghcr.io/acme/iris:v1", "ghcr.io", "acme/iris", "v1"),
        ("ghcr.io/acme/iris", "ghcr.io", "acme/iris", "latest"),
        (f"ghcr.io/acme/iris@{DIGEST}", "ghcr.io", "acme/iris", DIGEST),
        (f"ghcr.io/acme/iris:v1@{DIGEST}", "ghcr.io", "acme/iris", DIGEST),
        ("localhost:5000/iris", "localhost:5000", "iris", "latest"),
        ("localhost/iris:2", "localhost", "iris", "2"),
        ("acme/iris", "registry-1.docker.io", "acme/iris", "latest"),
        ("busybox", "registry-1.docker.io", "library/busybox", "latest"),
        ("docker.io/library/busybox:1", "registry-1.docker.io", "library/busybox", "1"),
        ("[::1]:5000/a/b/c", "[::1]:5000", "a/b/c", "latest"),
    ],
)
def test_names_are_read_as_docker_reads_them(written: str, host: str, repository: str, version: str) -> None:
    assert parse(written) == Reference(host=host, repository=repository, version=version)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("ghcr.io/Acme/iris", "names are in lower case"),
        ("ghcr.io/acme/../iris", "not a repository's name"),
        ("ghcr.io/acme/iris:bad tag", "is not a tag"),
        ("ghcr.io/acme/iris@sha256:12", "is not a digest"),
        ("me:secret@ghcr.io/acme/iris", "is not a digest"),
        ("gh_cr.io:x/acme/iris", "not a registry's host"),
        ("ghcr.io/acme/iris?x=1", "not a repository's name"),
    ],
)
def test_what_is_no_reference_says_which_part_is_wrong(written: str, says: str) -> None:
    with pytest.raises(StorageError, match=says):
        parse(written)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("localhost:5000", True), ("127.0.0.1:1", True), ("[::1]", True), ("127.0.0.1.evil.com", False)],
)
def test_only_this_machine_is_spoken_to_in_clear(host: str, is_loopback: bool) -> None:
    assert Reference(host=host, repository="a", version="v").is_loopback is is_loopback
