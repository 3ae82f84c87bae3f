import json
from pathlib import Path

import pytest

from fairlead.errors import ConfigError, StorageError
from fairlead.storage.clouds.azure import AzureAccess
from fairlead.storage.clouds.gcs import GcsAccess
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.clouds.s3 import S3Access
from fairlead.storage.credentials import Access, RcloneAccess, from_secret, resolve
from fairlead.storage.uris import RemoteUri, parse

MINIO = {
    "RCLONE_CONFIG_S3_TYPE": "s3",
    "RCLONE_CONFIG_S3_PROVIDER": "minio",
    "RCLONE_CONFIG_S3_ENV_AUTH": "false",
    "RCLONE_CONFIG_S3_ACCESS_KEY_ID": "minioadmin",
    "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "minio-secret",
    "RCLONE_CONFIG_S3_ENDPOINT": "http://minio.minio-system.svc.cluster.local:9000",
}
OWNERS_AWS = {"AWS_ACCESS_KEY_ID": "OWNER", "AWS_SECRET_ACCESS_KEY": "owner-secret", "AWS_REGION": "eu-west-1"}
SERVICE_ACCOUNT = json.dumps({"type": "service_account", "client_email": "a@b.c", "private_key": "hush"})


def access(
    uri: str,
    env: dict[str, str] | None = None,
    *,
    defaults: dict[str, str] | None = None,
    files: dict[str, str] | None = None,
) -> Access:
    parsed = parse(uri)
    assert isinstance(parsed, RemoteUri)

    def read_file(path: Path) -> str:
        if str(path) not in (files or {}):
            raise FileNotFoundError(2, "No such file or directory")
        return (files or {})[str(path)]

    return resolve(parsed, env or {}, defaults=defaults or {}, read_file=read_file)


class TestS3:
    def test_the_seldon_minio_secret_works_as_it_stands(self) -> None:
        found = access("s3://sklearn/iris", MINIO)

        assert found == S3Access(
            endpoint="http://minio.minio-system.svc.cluster.local:9000",
            is_amazon=False,
            access_key_id="minioadmin",
            secret_access_key="minio-secret",
        )
        assert found.name("sklearn", "iris") == "http://minio.minio-system.svc.cluster.local:9000/sklearn/iris"

    def test_a_remote_of_any_name_may_be_s3(self) -> None:
        env = {key.replace("_S3_", "_MY_MINIO_"): value for key, value in MINIO.items()}

        assert isinstance(access("my-minio:sklearn/iris", env), S3Access)

    def test_amazon_needs_a_region_only_when_it_is_not_the_usual_one(self) -> None:
        env = {
            "RCLONE_CONFIG_S3_TYPE": "s3",
            "RCLONE_CONFIG_S3_PROVIDER": "AWS",
            "RCLONE_CONFIG_S3_REGION": "eu-west-1",
        }

        found = access("s3://b/p", env)

        assert isinstance(found, S3Access)
        assert (found.endpoint, found.is_anonymous) == ("https://s3.eu-west-1.amazonaws.com", True)
        assert found.name("b", "p") == "s3://b/p"

    def test_a_strangers_host_is_not_amazon(self) -> None:
        env = MINIO | {"RCLONE_CONFIG_S3_ENDPOINT": "https://s3.amazonaws.com.evil.example"}

        assert access("s3://b/p", env).name("b", "p") == "https://s3.amazonaws.com.evil.example/b/p"  # type: ignore[union-attr] # it is an S3Access

    def test_the_clouds_own_variables_work_too(self) -> None:
        env = OWNERS_AWS | {"AWS_SESSION_TOKEN": "token", "AWS_ENDPOINT_URL": "http://localhost:9000"}

        found = access("s3://b/p", env)

        assert found == S3Access(
            endpoint="http://localhost:9000",
            is_amazon=False,
            region="eu-west-1",
            access_key_id="OWNER",
            secret_access_key="owner-secret",
            session_token="token",
        )

    def test_the_installations_own_are_used_when_the_secret_says_nothing(self) -> None:
        found = access("s3://b/p", {"UNRELATED": "1"}, defaults=OWNERS_AWS)

        assert isinstance(found, S3Access)
        assert (found.access_key_id, found.region) == ("OWNER", "eu-west-1")

    def test_the_installations_own_never_mix_with_a_secret(self) -> None:
        env = {name: value for name, value in MINIO.items() if "ACCESS_KEY" not in name}

        found = access("s3://b/p", env, defaults=OWNERS_AWS | {"AWS_SESSION_TOKEN": "owner-token"})

        assert isinstance(found, S3Access)
        assert found.is_anonymous
        assert found.session_token == ""

    def test_the_installations_own_never_go_to_an_endpoint_a_secret_chose(self) -> None:
        env = {
            "RCLONE_CONFIG_S3_TYPE": "s3",
            "RCLONE_CONFIG_S3_ENV_AUTH": "true",
            "RCLONE_CONFIG_S3_ENDPOINT": "https://collector.example",
        }

        with pytest.raises(StorageError, match="RCLONE_CONFIG_S3_ENV_AUTH: the server's own credentials are not sent"):
            access("s3://b/p", env, defaults=OWNERS_AWS)

    def test_env_auth_means_the_installations_keys_or_the_machines_role(self) -> None:
        env = {"RCLONE_CONFIG_S3_TYPE": "s3", "RCLONE_CONFIG_S3_PROVIDER": "AWS", "RCLONE_CONFIG_S3_ENV_AUTH": "true"}

        with_keys, with_role = access("s3://b/p", env, defaults=OWNERS_AWS), access("s3://b/p", env)

        assert isinstance(with_keys, S3Access)
        assert isinstance(with_role, S3Access)
        assert (with_keys.access_key_id, with_keys.is_ambient) == ("OWNER", False)
        assert (with_role.access_key_id, with_role.is_ambient) == ("", True)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": ""}, "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY is missing"),
            ({"RCLONE_CONFIG_S3_ACCESS_KEY_ID": ""}, "RCLONE_CONFIG_S3_ACCESS_KEY_ID is missing"),
            ({"RCLONE_CONFIG_S3_ENDPOINT": ""}, "RCLONE_CONFIG_S3_ENDPOINT is missing"),
            ({"RCLONE_CONFIG_S3_ENV_AUTH": "perhaps"}, "RCLONE_CONFIG_S3_ENV_AUTH must be true or false"),
        ],
    )
    def test_a_gap_is_named_by_its_variable(self, change: dict[str, str], says: str) -> None:
        with pytest.raises(StorageError, match=says) as caught:
            access("s3://b/p", {**MINIO, **change})
        assert "minio-secret" not in str(caught.value)

    def test_half_a_pair_of_aws_variables_is_named(self) -> None:
        with pytest.raises(StorageError, match="AWS_SECRET_ACCESS_KEY is missing"):
            access("s3://b/p", {"AWS_ACCESS_KEY_ID": "x"})

    def test_a_secret_for_another_name_is_told_before_anything_is_asked(self) -> None:
        env = {key.replace("_S3_", "_MINIO_"): value for key, value in MINIO.items()}

        with pytest.raises(StorageError, match=r"RCLONE_CONFIG_S3_TYPE.*configured remotes: MINIO"):
            access("s3://b/p", env)

    def test_options_obstore_does_not_know_go_to_rclone(self) -> None:
        found = access("s3://b/p", MINIO | {"RCLONE_CONFIG_S3_V2_AUTH": "true"})

        assert isinstance(found, RcloneAccess)
        assert found.why == "the option RCLONE_CONFIG_S3_V2_AUTH"

    def test_options_about_writing_change_nothing(self) -> None:
        assert access("s3://b/p", MINIO | {"RCLONE_CONFIG_S3_ACL": "private"}) == access("s3://b/p", MINIO)


class TestLegacySecrets:
    def test_aws_keys_take_their_endpoint_from_annotations_of_any_prefix(self) -> None:
        env = from_secret(
            {"awsAccessKeyID": b"key", "awsSecretAccessKey": b"secret\n"},
            {
                "machinelearning.seldon.io/s3-endpoint": "minio:9000",
                "serving.kserve.io/s3-region": "eu-west-1",
                "serving.kubeflow.org/s3-usehttps": "0",
                "s3-verifyssl": "0",
            },
        )

        found = access("s3://b/p", env)

        assert found == S3Access(
            endpoint="http://minio:9000",
            is_amazon=False,
            region="eu-west-1",
            access_key_id="key",
            secret_access_key="secret",
            verify_tls=False,
        )

    def test_a_google_credential_file_becomes_its_key(self) -> None:
        env = from_secret({"gcloud-application-credentials.json": SERVICE_ACCOUNT.encode()}, {})

        found = access("gs://b/p", env)

        assert isinstance(found, GcsAccess)
        assert json.loads(found.key_json) == json.loads(SERVICE_ACCOUNT)

    def test_an_installations_settings_hold_where_annotations_say_nothing(self) -> None:
        settings = {
            "s3AccessKeyIDName": "id",
            "s3SecretAccessKeyName": "word",
            "s3Endpoint": "minio:9000",
            "s3UseHttps": "0",
            "s3Region": "eu-west-1",
            "s3VerifySSL": "0",
        }

        env = from_secret({"id": b"me", "word": b"w"}, {"serving.kserve.io/s3-region": "us-west-2"}, settings)

        assert env == {
            "AWS_ACCESS_KEY_ID": "me",
            "AWS_SECRET_ACCESS_KEY": "w",
            "S3_ENDPOINT": "minio:9000",
            "S3_USE_HTTPS": "0",
            "AWS_REGION": "us-west-2",
            "S3_VERIFY_SSL": "0",
        }

    @pytest.mark.parametrize(
        ("values", "env"),
        [
            ({"https-host": b"example.com", "headers": b'{"A": "b"}'}, {"example.com-headers": '{"A": "b"}'}),
            ({"HF_TOKEN": b"hf_x", "unknown": b"x"}, {"HF_TOKEN": "hf_x"}),
            ({"GIT_USERNAME": b"me", "GIT_PASSWORD": b"p"}, {"GIT_USERNAME": "me", "GIT_PASSWORD": "p"}),
            ({"AZURE_ACCESS_TOKEN": b"t"}, {"AZURE_ACCESS_TOKEN": "t"}),
            ({".dockerconfigjson": b'{"auths": {}}'}, {"DOCKER_AUTH_CONFIG": '{"auths": {}}'}),
            ({".dockercfg": b'{"a.io": {}}'}, {"DOCKER_AUTH_CONFIG": '{"auths": {"a.io": {}}}'}),
            (
                {"AWS_SECRET_ACCESS_KEY": b"s", "AWS_ACCESS_KEY_ID": b"k", "HF_TOKEN": b"h"},
                {"AWS_SECRET_ACCESS_KEY": "s", "AWS_ACCESS_KEY_ID": "k"},
            ),
        ],
    )
    def test_the_first_kind_of_key_decides_what_a_secret_is(
        self, values: dict[str, bytes], env: dict[str, str]
    ) -> None:
        assert from_secret(values, {}) == env

    def test_every_annotation_becomes_its_variable(self) -> None:
        said = {
            "s3-endpoint": "e",
            "s3-region": "r",
            "s3-verifyssl": "0",
            "s3-usehttps": "0",
            "s3-usevirtualbucket": "true",
            "s3-useaccelerate": "true",
            "s3-useanoncredential": "true",
            "s3-cabundle-configmap": "c",
            "s3-cabundle": "/p",
        }
        annotations = {f"serving.kserve.io/{name}": value for name, value in said.items()}

        env = from_secret({"AWS_SECRET_ACCESS_KEY": b"s", "AWS_ACCESS_KEY_ID": b"k"}, annotations)

        assert env == {
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "s",
            "S3_ENDPOINT": "e",
            "AWS_REGION": "r",
            "S3_VERIFY_SSL": "0",
            "S3_USE_HTTPS": "0",
            "S3_USER_VIRTUAL_BUCKET": "true",
            "S3_USE_ACCELERATE": "true",
            "awsAnonymousCredential": "true",
            "AWS_CA_BUNDLE_CONFIGMAP": "c",
            "AWS_CA_BUNDLE": "/p",
        }

    def test_accelerated_transfers_ask_amazons_own_edge_and_no_other_store(self) -> None:
        amazon = access("s3://b/p", {"S3_USE_ACCELERATE": "true"})
        minio = access("s3://b/p", {"S3_USE_ACCELERATE": "true", "AWS_ENDPOINT_URL": "http://minio:9000"})

        assert isinstance(amazon, S3Access)
        assert isinstance(minio, S3Access)
        assert (amazon.endpoint, amazon.is_virtual_hosted) == ("https://s3-accelerate.amazonaws.com", True)
        assert (minio.endpoint, minio.is_virtual_hosted) == ("http://minio:9000", False)

    def test_a_bundles_text_goes_before_a_file_of_it(self) -> None:
        found = access("s3://b/p", {"AWS_CA_BUNDLE_PEM": "pem", "AWS_CA_BUNDLE": "/nowhere"})

        assert isinstance(found, S3Access)
        assert found.ca_pem == "pem"

    def test_an_access_token_of_azure_is_a_credential(self) -> None:
        found = access("https://acme.blob.core.windows.net/c/p", {"AZURE_ACCESS_TOKEN": "t"})

        assert isinstance(found, AzureAccess)
        assert (found.token, found.is_anonymous) == ("t", False)

    def test_variables_of_other_stores_are_passed_on_and_nothing_else(self) -> None:
        values = {"AZURE_STORAGE_ACCOUNT": b"acme", "RCLONE_CONFIG_S3_TYPE": b"s3", "token": b"t", "LD_PRELOAD": b"x"}

        assert from_secret(values, {}) == {"AZURE_STORAGE_ACCOUNT": "acme", "RCLONE_CONFIG_S3_TYPE": "s3"}


class TestGcs:
    def test_buckets_are_public_until_a_credential_says_otherwise(self) -> None:
        found = access("gs://seldon-models/iris", MINIO)

        assert found == GcsAccess()
        assert found.is_anonymous

    @pytest.mark.parametrize(
        ("env", "files"),
        [
            (
                {
                    "RCLONE_CONFIG_GS_TYPE": "google cloud storage",
                    "RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS": SERVICE_ACCOUNT,
                },
                {},
            ),
            ({"RCLONE_CONFIG_GS_SERVICE_ACCOUNT_FILE": "/k.json"}, {"/k.json": SERVICE_ACCOUNT}),
            ({"GOOGLE_APPLICATION_CREDENTIALS": "/k.json"}, {"/k.json": SERVICE_ACCOUNT}),
            ({"GOOGLE_SERVICE_ACCOUNT_KEY": SERVICE_ACCOUNT}, {}),
        ],
    )
    def test_a_service_account_comes_as_text_or_file(self, env: dict[str, str], files: dict[str, str]) -> None:
        found = access("gs://b/p", env, files=files)

        assert isinstance(found, GcsAccess)
        assert json.loads(found.key_json) == json.loads(SERVICE_ACCOUNT)
        assert not found.is_anonymous

    @pytest.mark.parametrize(
        ("value", "says"),
        [
            ("hush-hush", "RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS is not JSON"),
            ('{"type": "external_account"}', "credentials of type 'external_account' cannot be used"),
            ("[]", "credentials of type None cannot be used"),
        ],
    )
    def test_a_credential_that_cannot_be_used_is_named_not_shown(self, value: str, says: str) -> None:
        with pytest.raises(StorageError, match=says) as caught:
            access("gs://b/p", {"RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS": value})
        assert "hush" not in str(caught.value)

    def test_a_missing_credential_file_is_named_with_its_variable(self) -> None:
        with pytest.raises(StorageError, match=r"GOOGLE_APPLICATION_CREDENTIALS: cannot read /k.json: No such file"):
            access("gs://b/p", {"GOOGLE_APPLICATION_CREDENTIALS": "/k.json"})

    def test_env_auth_to_an_endpoint_a_secret_chose_is_refused(self) -> None:
        env = {"RCLONE_CONFIG_GS_ENV_AUTH": "true", "RCLONE_CONFIG_GS_ENDPOINT": "https://collector.example"}

        with pytest.raises(StorageError, match="RCLONE_CONFIG_GS_ENV_AUTH"):
            access("gs://b/p", env)

    def test_a_token_of_the_process_that_would_win_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "owners")

        with pytest.raises(ConfigError, match="GOOGLE_BEARER_TOKEN"):
            GcsAccess(key_json=SERVICE_ACCOUNT).open("b", Timeouts(connect_s=1, read_s=1))


class TestAzure:
    def test_rclones_options_give_account_and_key(self) -> None:
        env = {
            "RCLONE_CONFIG_AZBLOB_TYPE": "azureblob",
            "RCLONE_CONFIG_AZBLOB_ACCOUNT": "acme",
            "RCLONE_CONFIG_AZBLOB_KEY": "a2V5",
        }

        found = access("azblob://models/iris", env)

        assert found == AzureAccess(account="acme", endpoint="https://acme.blob.core.windows.net", key="a2V5")

    def test_a_sas_url_gives_account_and_signature(self) -> None:
        env = {"RCLONE_CONFIG_AZ_SAS_URL": "https://acme.blob.core.windows.net/?sv=1&sig=abc"}

        found = access("az://models/iris", env)

        assert found == AzureAccess(account="acme", endpoint="https://acme.blob.core.windows.net", sas="sv=1&sig=abc")

    def test_a_connection_string_gives_all_of_it(self) -> None:
        text = "DefaultEndpointsProtocol=http;AccountName=dev;AccountKey=a2V5PT0=;BlobEndpoint=http://127.0.0.1:1/dev;"

        found = access("az://models/iris", {"AZURE_STORAGE_CONNECTION_STRING": text})

        assert found == AzureAccess(account="dev", endpoint="http://127.0.0.1:1/dev", key="a2V5PT0=")

    def test_a_signed_url_needs_nothing_else(self) -> None:
        found = access("https://acme.blob.core.windows.net/models/iris?sv=1&sig=abc")

        assert found == AzureAccess(account="acme", endpoint="https://acme.blob.core.windows.net", sas="sv=1&sig=abc")

    def test_another_accounts_key_is_not_used(self) -> None:
        env = {"AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_KEY": "a2V5", "AZURE_STORAGE_SAS_TOKEN": "sig=abc"}

        found = access("https://other.blob.core.windows.net/models/iris", defaults=env)

        assert found == AzureAccess(account="other", endpoint="https://other.blob.core.windows.net")

    def test_a_service_principal_is_read_from_the_usual_variables(self) -> None:
        env = {
            "AZURE_STORAGE_ACCOUNT": "acme",
            "AZURE_TENANT_ID": "tenant",
            "AZURE_CLIENT_ID": "client",
            "AZURE_CLIENT_SECRET": "hush-hush",
        }

        found = access("az://models/iris", env)

        assert isinstance(found, AzureAccess)
        assert (found.tenant_id, found.client_id, found.client_secret) == ("tenant", "client", "hush-hush")
        assert "hush" not in repr(found)

    @pytest.mark.parametrize(
        ("env", "says"),
        [
            ({}, "RCLONE_CONFIG_AZ_ACCOUNT is missing"),
            ({"AZURE_STORAGE_ACCOUNT": "a", "AZURE_CLIENT_SECRET": "hush-hush"}, "RCLONE_CONFIG_AZ_TENANT is missing"),
            ({"AZURE_STORAGE_CONNECTION_STRING": "hush-hush"}, "is not a connection string"),
        ],
    )
    def test_a_gap_is_named_by_its_variable(self, env: dict[str, str], says: str) -> None:
        with pytest.raises(StorageError, match=says) as caught:
            access("az://models/iris", env)
        assert "hush" not in str(caught.value)


def test_unknown_schemes_are_unknown_remotes() -> None:
    with pytest.raises(StorageError, match=r"no remote 'minio' is configured.*RCLONE_CONFIG_MINIO_TYPE.*remotes: S3"):
        access("minio://b/p", MINIO)


def test_types_obstore_does_not_speak_go_to_rclone_with_their_remotes_only() -> None:
    env = {"RCLONE_CONFIG_BOX_TYPE": "sftp", "RCLONE_CONFIG_BOX_HOST": "files.example", "AWS_SECRET_ACCESS_KEY": "x"}

    found = access("box:models/iris", env)

    assert isinstance(found, RcloneAccess)
    assert found.why == "remotes of type 'sftp'"
    assert set(found.env) == {"RCLONE_CONFIG_BOX_TYPE", "RCLONE_CONFIG_BOX_HOST"}


def test_callers_with_different_secrets_are_told_apart_without_showing_them() -> None:
    one = access("s3://b/p", MINIO)
    two = access("s3://b/p", MINIO | {"RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "another-secret"})

    assert isinstance(one, S3Access)
    assert isinstance(two, S3Access)
    assert one.caller != two.caller
    assert "minio-secret" not in one.caller + repr(one)
