from pathlib import Path

import pytest

from fairlead.backends.local.artifacts import Artifacts
from fairlead.backends.local.environment import MissingReference
from fairlead.errors import StorageError
from fairlead.plan.model import Artifact, EnvVar, Part, SecretEntry
from support.local_world import FakeFetcher, FakeLookup

pytestmark = pytest.mark.anyio


class Stage:
    def __init__(self, folder: Path) -> None:
        self.fetcher, self.lookup = FakeFetcher(folder), FakeLookup()
        self.artifacts = Artifacts(self.fetcher, self.lookup)

    async def fetch(self, artifact: Artifact) -> Path:
        return await self.artifacts.fetch("ns", artifact, progress=lambda *_: None, should_stop=lambda: False)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_the_fetcher_is_told_whether_to_unpack_and_for_whom(stage: Stage) -> None:
    await stage.fetch(Artifact(uri="s3://b/m", unpacks=True))

    assert stage.fetcher.asked == [("s3://b/m", True, "ns")]


async def test_parts_are_put_together_below_the_mount(stage: Stage, tmp_path: Path) -> None:
    parts = (Part(uri="s3://b/base", mount="/mnt/models"), Part(uri="hf://o/lora", mount="/mnt/models/lora/"))
    folder = await stage.fetch(Artifact(uri="s3://b/base", parts=parts))

    assert [uri for uri, _ in stage.fetcher.calls] == ["s3://b/base", "hf://o/lora"]
    assert (folder / "lora").is_dir()
    with pytest.raises(StorageError, match="is not below /mnt/models"):
        await stage.fetch(Artifact(uri="x", parts=(Part(uri="x", mount="/data"),)))


async def test_an_entry_of_a_secret_says_what_the_uri_is(stage: Stage) -> None:
    stage.lookup.secrets["storage-config"] = {"minio": b'{"type": "s3", "bucket": "b", "access_key_id": "me"}'}
    entry = SecretEntry(secret="storage-config", key="minio", path="iris")
    await stage.fetch(Artifact(uri="<scheme-placeholder>://iris", entry=entry))

    assert stage.fetcher.calls == [("s3://b/iris", {"AWS_ACCESS_KEY_ID": "me"})]
    stage.lookup.secrets.clear()
    with pytest.raises(MissingReference, match="can't read storage secret storage-config: "):
        await stage.fetch(Artifact(uri="x", entry=entry))


async def test_a_named_secret_replaces_the_service_accounts_and_must_exist(stage: Stage) -> None:
    stage.lookup.accounts["default"] = ("account",)
    stage.lookup.secrets["account"] = {"HF_TOKEN": b"of-the-account"}
    stage.lookup.secrets["named"] = {"HF_TOKEN": b"named"}
    await stage.fetch(Artifact(uri="hf://o/m", service_account="default", credential_secret="named"))

    assert stage.fetcher.calls == [("hf://o/m", {"HF_TOKEN": "named"})]
    with pytest.raises(MissingReference, match="Secret 'absent' does not exist"):
        await stage.fetch(Artifact(uri="hf://o/m", credential_secret="absent"))


async def test_a_transfer_that_fails_says_which_credentials_are_lacking(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(uri: str, **_how: object) -> Path:
        raise StorageError(f"{uri}: 403 Forbidden")

    monkeypatch.setattr(stage.fetcher, "fetch", refuse)
    artifact = Artifact(uri="s3://b/m", service_account="reader")

    with pytest.raises(StorageError, match=r"403 Forbidden .the ServiceAccount 'reader' does not exist in namespace"):
        await stage.fetch(artifact)
    stage.lookup.accounts["reader"] = ("s3creds",)
    with pytest.raises(StorageError, match="the Secret 's3creds' of the ServiceAccount 'reader' does not exist"):
        await stage.fetch(artifact)
    stage.lookup.secrets["s3creds"] = {}
    with pytest.raises(StorageError, match=r"^s3://b/m: 403 Forbidden$"):
        await stage.fetch(artifact)


async def test_logins_of_several_secrets_are_all_known_and_settings_fill_gaps(stage: Stage) -> None:
    stage.lookup.accounts["default"] = ("one", "two", "keys")
    stage.lookup.secrets["one"] = {".dockerconfigjson": b'{"auths": {"a.io": {}}}'}
    stage.lookup.secrets["two"] = {".dockerconfigjson": b'{"auths": {"b.io": {}}}'}
    stage.lookup.secrets["keys"] = {"AWS_ACCESS_KEY_ID": b"k", "AWS_SECRET_ACCESS_KEY": b"s"}
    settings = (("s3Endpoint", "minio:9000"),)
    await stage.fetch(Artifact(uri="oci://a.io/x", service_account="default", store_settings=settings))

    env = stage.fetcher.calls[0][1]
    assert env["DOCKER_AUTH_CONFIG"] == '{"auths": {"a.io": {}, "b.io": {}}}'
    assert env["S3_ENDPOINT"] == "minio:9000"


async def test_a_ca_bundle_is_read_from_its_config_map(stage: Stage) -> None:
    stage.lookup.config_maps["authorities"] = {"cabundle.crt": "PEM", "other.crt": "OTHER"}
    stage.lookup.secrets["minio"] = {
        "default": b'{"type": "s3", "bucket": "b", "cabundle_configmap": "authorities"}',
        "other": b'{"type": "s3", "bucket": "b", "cabundle_configmap": "authorities", "ca_bundle": "/etc/x/other.crt"}',
        "none": b'{"type": "s3", "bucket": "b", "cabundle_configmap": "authorities", "ca_bundle": "none.crt"}',
    }
    for key in ("", "other"):
        await stage.fetch(Artifact(uri="x", entry=SecretEntry(secret="minio", key=key, path="m")))

    assert [env for _, env in stage.fetcher.calls] == [{"AWS_CA_BUNDLE_PEM": "PEM"}, {"AWS_CA_BUNDLE_PEM": "OTHER"}]
    pem = EnvVar(name="CA_BUNDLE_CONFIGMAP_NAME", value="authorities")
    await stage.fetch(Artifact(uri="https://h/m", init_env=(pem,)))
    assert stage.fetcher.calls[-1][1] == {"CA_BUNDLE_PEM": "PEM"}
    with pytest.raises(MissingReference, match=r"no key 'none\.crt'; its keys: cabundle\.crt, other\.crt"):
        await stage.fetch(Artifact(uri="x", entry=SecretEntry(secret="minio", key="none", path="m")))


async def test_a_model_is_pinned_with_one_namespaces_credentials_for_another_scope(stage: Stage) -> None:
    stage.lookup.secrets["hub"] = {"HF_TOKEN": b"t"}
    artifact = Artifact(uri="hf://o/m", credential_secret="hub")
    await stage.artifacts.pin("jobs", artifact, scope="", progress=lambda *_: None, should_stop=lambda: False)

    assert stage.fetcher.calls == [("hf://o/m", {"HF_TOKEN": "t"})]
    assert stage.fetcher.pinned == {("hf://o/m", "")}


async def test_only_wanted_models_stay_pinned(stage: Stage) -> None:
    stage.fetcher.pinned = {("hf://o/a", ""), ("hf://o/a", "team"), ("hf://o/b", "")}
    await stage.artifacts.unpin_all_but([("hf://o/a", "team")])

    assert stage.fetcher.pinned == {("hf://o/a", "team")}
