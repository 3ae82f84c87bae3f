import json

from fairlead.storage.redaction import cleaned, secrets_of


def test_values_of_secret_variables_are_replaced_and_others_stay() -> None:
    env = {
        "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "very-secret",
        "RCLONE_CONFIG_S3_ENDPOINT": "http://minio:9000",
        "RCLONE_CONFIG_S3_ENV_AUTH": "false",
    }

    text = cleaned("http://minio:9000 refused very-secret; false", secrets_of(env))

    assert text == "http://minio:9000 refused ***; false"


def test_what_is_inside_json_and_connection_strings_is_secret_too() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----\n"
    env = {
        "RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS": json.dumps({"private_key": key, "client_email": "a@b.c"}),
        "AZURE_STORAGE_CONNECTION_STRING": "AccountName=acme;AccountKey=Zm9vYmFyYmF6;",
    }

    text = cleaned("key MIIEvQIBADANBg of a@b.c, Zm9vYmFyYmF6", secrets_of(env))

    assert text == "key *** of a@b.c, ***"


def test_the_signature_of_a_signed_url_is_secret_by_itself() -> None:
    env = {"RCLONE_CONFIG_AZ_SAS_URL": "https://acme.example/?sv=1&sig=abc%3Ddef"}

    assert cleaned("bad signature abc=def or abc%3Ddef", secrets_of(env)) == "bad signature *** or ***"


def test_signatures_and_passwords_in_urls_go_and_lines_are_joined() -> None:
    text = cleaned("GET https://me:pw@host/a?X-Amz-Signature=00ff\n  failed", ())

    assert text == "GET https://host/a failed"


def test_a_store_that_talks_too_much_is_cut() -> None:
    assert len(cleaned("x" * 10_000, ())) < 1000
