import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import Forbidden, StorageError, StorageUnavailable
from fairlead.storage.credentials import from_secret, merged
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.archives import member, tar_bytes
from support.registry import PASSWORD, Registry, front, registry
from support.web_files import file_server

QUICK = Patience(attempts=3, first_pause_s=0.001, read_timeout_s=5)
WEIGHTS = bytes(range(256)) * 4096
MODEL = tar_bytes({"models/model.joblib": WEIGHTS, "models/meta/settings.json": b"{}", "etc/passwd": b"root"})

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as there:
        yield there


@pytest.fixture(scope="module")
def private_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("private"), is_private=True) as there:
        there.push_image("acme/iris", MODEL)
        yield there


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", patience=QUICK)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestImages:
    @pytest.mark.parametrize("scheme", ["oci", "oci+native", "oci+fetch", "oci+modelcar"])
    def test_the_models_folder_of_an_image_is_the_model(
        self, open_registry: Registry, fetcher: Fetcher, scheme: str
    ) -> None:
        open_registry.push_image("acme/iris", tar_bytes({"bin/sh": b"elf"}), MODEL, tag="v1")

        fetched = fetcher.fetch(f"{scheme}://{open_registry.host}/acme/iris:v1")

        assert contents(fetched) == {"model.joblib": WEIGHTS, "meta/settings.json": b"{}"}

    def test_an_image_is_named_by_digest_too(self, open_registry: Registry, fetcher: Fetcher) -> None:
        digest = open_registry.push_image("acme/by-digest", MODEL)

        assert "model.joblib" in contents(fetcher.fetch(f"oci://{open_registry.host}/acme/by-digest@{digest}"))

    def test_upper_layers_replace_and_remove(self, open_registry: Registry, fetcher: Fetcher) -> None:
        lower = tar_bytes({"models/a": b"1", "models/b": b"1", "models/old/c": b"1", "models/gone/d": b"1"})
        upper = tar_bytes(
            {
                "models/a": b"2",
                "models/.wh.b": b"",
                "models/old/.wh..wh..opq": b"",
                "models/old/new": b"2",
                "models/.wh.gone": b"",
            }
        )
        open_registry.push_image("acme/layers", lower, upper)

        fetched = fetcher.fetch(f"oci://{open_registry.host}/acme/layers")

        assert contents(fetched) == {"a": b"2", "old/new": b"2"}

    def test_links_inside_the_model_are_followed(self, open_registry: Registry, fetcher: Fetcher) -> None:
        layer = tar_bytes(
            {"./models/v1/model.bst": b"weights"},
            member("./models/model.bst", tarfile.SYMTYPE, "v1/model.bst"),
            member("./models/latest", tarfile.SYMTYPE, "/models/v1"),
            member("./models/same.bst", tarfile.LNKTYPE, "./models/v1/model.bst"),
        )
        open_registry.push_image("acme/links", layer)

        found = contents(fetcher.fetch(f"oci://{open_registry.host}/acme/links"))

        assert set(found) == {"v1/model.bst", "model.bst", "latest/model.bst", "same.bst"}
        assert set(found.values()) == {b"weights"}

    @pytest.mark.parametrize(
        ("odd", "says"),
        [
            (member("models/x", tarfile.SYMTYPE, "/etc/passwd"), "is a link to /etc/passwd"),
            (member("models/x", tarfile.SYMTYPE, "../../../etc/passwd"), "is a link to /etc/passwd"),
            (member("models/x", tarfile.SYMTYPE, "y"), "is a link to /models/y, which is not there"),
            (member("models/x", tarfile.SYMTYPE, "."), "is a link to /models"),
            (member("models/x", tarfile.LNKTYPE, "etc/passwd"), "which is not under /models"),
            (member("models/x", tarfile.CHRTYPE), "a device or a pipe"),
            (member("models", tarfile.SYMTYPE, "/etc"), "/models is not a folder"),
        ],
    )
    def test_links_out_of_the_model_and_devices_are_refused(
        self, open_registry: Registry, fetcher: Fetcher, odd: tarfile.TarInfo, says: str
    ) -> None:
        open_registry.push_image("acme/odd", tar_bytes({"etc/passwd": b"root", "models/ok": b"1"}, odd))

        with pytest.raises(StorageError, match=says):
            fetcher.fetch(f"oci://{open_registry.host}/acme/odd")

    def test_an_index_gives_the_image_of_this_machine_or_any(
        self, open_registry: Registry, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arm = open_registry.push_image("acme/multi", tar_bytes({"models/arch": b"arm64"}), tag="arm")
        amd = open_registry.push_image("acme/multi", tar_bytes({"models/arch": b"amd64"}), tag="amd")
        open_registry.push_index("acme/multi", {"s390x": arm, "arm64": arm, "amd64": amd})
        uri = f"oci://{open_registry.host}/acme/multi"

        found = {}
        for machine in ("aarch64", "x86_64", "riscv64"):
            monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
            found[machine] = contents(fetcher.fetch(uri))["arch"]

        assert found == {"aarch64": b"arm64", "x86_64": b"amd64", "riscv64": b"arm64"}

    def test_an_image_without_a_model_says_so(self, open_registry: Registry, fetcher: Fetcher) -> None:
        open_registry.push_image("acme/none", tar_bytes({"bin/sh": b"elf"}))

        with pytest.raises(StorageError, match="the image has no files under /models"):
            fetcher.fetch(f"oci://{open_registry.host}/acme/none")

    def test_what_lies_beside_the_model_may_not_be_a_bomb(
        self, open_registry: Registry, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fairlead.storage.archives._FREE_BYTES", 2**20)
        open_registry.push_image("acme/bomb", tar_bytes({"zeros": bytes(4 * 2**20), "models/ok": b"1"}))

        with pytest.raises(StorageError, match="more than 200 times its size"):
            fetcher.fetch(f"oci://{open_registry.host}/acme/bomb")

    def test_a_layer_that_is_no_tar_is_said_to_be_damaged(self, open_registry: Registry, fetcher: Fetcher) -> None:
        open_registry.push_image("acme/broken", MODEL[:-300])

        with pytest.raises(StorageError, match="damaged"):
            fetcher.fetch(f"oci://{open_registry.host}/acme/broken")

    def test_bytes_that_are_not_what_their_digest_says_are_not_used(
        self, open_registry: Registry, fetcher: Fetcher
    ) -> None:
        layer = tar_bytes({"models/model.bst": b"to be tampered with"})
        open_registry.push_image("acme/tampered", layer)
        open_registry.blob_path(layer).write_bytes(layer[:-1] + b"?")

        with pytest.raises(StorageUnavailable, match="what arrived is damaged: its SHA-256 is"):
            fetcher.fetch(f"oci://{open_registry.host}/acme/tampered")

    def test_what_is_not_there_is_said_with_the_registrys_words(
        self, open_registry: Registry, fetcher: Fetcher
    ) -> None:
        with pytest.raises(StorageError, match=r"HTTP 404 .*asked without a login"):
            fetcher.fetch(f"oci://{open_registry.host}/acme/absent:v1")

    def test_an_owner_who_restricts_sources_names_registries_and_not_where_their_blobs_lie(
        self, private_registry: Registry, tmp_path: Path
    ) -> None:
        with file_server() as blobs, front(private_registry, blobs) as cloud:
            env = {"DOCKER_AUTH_CONFIG": private_registry.config(cloud.host)}
            allowing = Fetcher(tmp_path / "a", allowed_sources=[f"oci://{cloud.host}/acme/*"], patience=QUICK)
            refusing = Fetcher(tmp_path / "b", allowed_sources=["oci://ghcr.io/*"], patience=QUICK)

            assert "model.joblib" in contents(allowing.fetch(f"oci://{cloud.host}/acme/iris", env=env))
            with pytest.raises(Forbidden, match="models from there are not allowed"):
                refusing.fetch(f"oci://{cloud.host}/acme/iris", env=env)

    def test_only_registries_that_the_owner_names_are_spoken_to_in_clear(self, tmp_path: Path) -> None:
        with file_server() as server:
            # A name of this machine that does not look like one.
            host = server.url.removeprefix("http://").replace("127.0.0.1", "0.0.0.0")
            trusting = Fetcher(tmp_path / "a", defaults={"FAIRLEAD_INSECURE_REGISTRIES": f"x, {host}"}, patience=QUICK)
            wary = Fetcher(tmp_path / "b", patience=QUICK)

            with pytest.raises(StorageError, match="HTTP 404"):
                trusting.fetch(f"oci://{host}/acme/iris")
            with pytest.raises(StorageUnavailable):
                wary.fetch(f"oci://{host}/acme/iris", env={"FAIRLEAD_INSECURE_REGISTRIES": host})

        assert [asked.path for asked in server.asked] == ["/v2/acme/iris/manifests/latest"]


class TestArtifacts:
    def test_files_keep_their_titles(self, open_registry: Registry, fetcher: Fetcher) -> None:
        files = {"model.safetensors": WEIGHTS, "tokenizer/vocab.json": b"{}"}
        open_registry.push_artifact("acme/artifact", files)

        assert contents(fetcher.fetch(f"oci://{open_registry.host}/acme/artifact")) == files

    def test_a_folder_that_was_pushed_as_a_tar_is_one_again(self, open_registry: Registry, fetcher: Fetcher) -> None:
        packed = tar_bytes({"weights/model.bst": b"w"})
        open_registry.push_artifact("acme/folder", {"weights": packed}, **{"io.deis.oras.content.unpack": "true"})

        assert contents(fetcher.fetch(f"oci://{open_registry.host}/acme/folder")) == {"weights/model.bst": b"w"}

    def test_only_a_changed_file_is_fetched_again(self, open_registry: Registry, fetcher: Fetcher) -> None:
        uri = f"oci://{open_registry.host}/acme/changing"
        open_registry.push_artifact("acme/changing", {"weights": WEIGHTS, "config": b"1"})
        fetcher.fetch(uri)
        open_registry.push_artifact("acme/changing", {"weights": WEIGHTS, "config": b"2"})
        open_registry.blob_path(WEIGHTS).unlink()

        assert contents(fetcher.fetch(uri))["config"] == b"2"

    @pytest.mark.parametrize("title", ["../evil", "/etc/evil", "a/../../evil"])
    def test_a_title_that_climbs_is_refused(self, open_registry: Registry, fetcher: Fetcher, title: str) -> None:
        open_registry.push_artifact("acme/evil", {title: b"x"})

        with pytest.raises(StorageError, match="would leave the model's folder"):
            fetcher.fetch(f"oci://{open_registry.host}/acme/evil")


class TestLogins:
    def test_a_registry_secret_lets_its_holder_in(self, private_registry: Registry, fetcher: Fetcher) -> None:
        uri = f"oci://{private_registry.host}/acme/iris"
        other = json.dumps({"auths": {"ghcr.io": {"auth": "bm9ib2R5Og=="}}})
        secrets = [{".dockerconfigjson": text.encode()} for text in (private_registry.config(), other)]

        assert "model.joblib" in contents(fetcher.fetch(uri, env=merged([from_secret(one, {}) for one in secrets])))

    @pytest.mark.parametrize(("password", "says"), [("", "asked without a login"), ("wrong-word", "asked as robot")])
    def test_others_are_told_why_not(
        self, private_registry: Registry, fetcher: Fetcher, password: str, says: str
    ) -> None:
        config = private_registry.config(password=password) if password else ""
        with pytest.raises(StorageError, match=says) as caught:
            fetcher.fetch(f"oci://{private_registry.host}/acme/iris", env={"DOCKER_AUTH_CONFIG": config})

        assert "wrong-word" not in str(caught.value)

    def test_a_token_is_asked_for_and_stays_with_the_registry(
        self, private_registry: Registry, fetcher: Fetcher
    ) -> None:
        with file_server() as blobs, front(private_registry, blobs) as cloud:
            env = {"DOCKER_AUTH_CONFIG": private_registry.config(cloud.host)}
            fetched = fetcher.fetch(f"oci://{cloud.host}/acme/iris", env=env)

        assert "model.joblib" in contents(fetched)
        assert [asked.headers.get("Authorization") for asked in blobs.asked] == [None]
        assert sum(path.startswith("/token") for path, _ in cloud.asked) == 1
        assert {said for path, said in cloud.asked if path.startswith("/v2")} == {"", f"Bearer {cloud.token}"}

    def test_a_blob_that_breaks_off_is_resumed_where_it_lies(
        self, private_registry: Registry, fetcher: Fetcher
    ) -> None:
        layer = tar_bytes({"models/model.bst": WEIGHTS}, compressed=False)
        private_registry.push_image("acme/iris", layer, tag="large")
        with file_server() as blobs, front(private_registry, blobs) as cloud:
            cloud.cut_at, cloud.cuts = 400_000, 2
            env = {"DOCKER_AUTH_CONFIG": private_registry.config(cloud.host)}
            fetched = fetcher.fetch(f"oci://{cloud.host}/acme/iris:large", env=env)

        assert contents(fetched) == {"model.bst": WEIGHTS}
        ranges = [int(asked.headers.get("Range", "bytes=0-")[6:-1]) for asked in blobs.asked]
        assert len(ranges) == 3
        assert ranges == sorted(set(ranges))

    def test_a_wrong_password_at_the_token_service_is_not_shown(
        self, private_registry: Registry, fetcher: Fetcher
    ) -> None:
        with file_server() as blobs, front(private_registry, blobs) as cloud:
            config = private_registry.config(cloud.host, password="wrong-word")
            with pytest.raises(StorageError, match="asked as robot") as caught:
                fetcher.fetch(f"oci://{cloud.host}/acme/iris", env={"DOCKER_AUTH_CONFIG": config})

        assert "wrong-word" not in str(caught.value)
        assert PASSWORD not in str(caught.value)
