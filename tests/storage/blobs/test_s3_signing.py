"""Signed addresses, against the example of Amazon's own documentation."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from fairlead.storage.blobs.s3_signing import Signer

# "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)", Amazon S3 API Reference.
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime(2013, 5, 24, tzinfo=UTC).timestamp()


def _signer(**values: object) -> Signer:
    given = {"endpoint": "https://s3.amazonaws.com", "bucket": "examplebucket", "region": "us-east-1"}
    return Signer(access_key_id=KEY, secret_access_key=SECRET, **{**given, **values})  # type: ignore[arg-type]


def test_the_example_of_the_documentation() -> None:
    address = _signer(is_virtual_hosted=True).address("GET", "test.txt", now=NOW, expires_s=86400)

    assert address == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_every_part_of_a_request_is_signed() -> None:
    signer = _signer()
    queries: tuple[dict[str, str], ...] = (
        {},
        {"partNumber": "1", "uploadId": "a b/c"},
        {"partNumber": "2", "uploadId": "a b/c"},
    )
    addresses = [signer.address("PUT", "k", now=NOW, expires_s=60, query=query) for query in queries]
    addresses += [
        signer.address("GET", "k", now=NOW, expires_s=60),
        signer.address("PUT", "l", now=NOW, expires_s=60),
        signer.address("PUT", "k", now=NOW + 1, expires_s=60),
    ]

    signatures = {parse_qs(urlsplit(address).query)["X-Amz-Signature"][0] for address in addresses}

    assert len(signatures) == len(addresses)
    assert addresses[1].startswith("https://s3.amazonaws.com/examplebucket/k?")
    assert "uploadId=a%20b%2Fc" in addresses[1]


def test_a_role_says_its_session_and_nothing_shows_a_secret() -> None:
    signer = _signer(session_token="a/token")

    assert "X-Amz-Security-Token=a%2Ftoken" in signer.address("PUT", "k", now=NOW, expires_s=60)
    assert SECRET not in repr(signer)
    assert "a/token" not in repr(signer)
