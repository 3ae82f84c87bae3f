"""S3 addresses that are signed in their query (AWS Signature Version 4), for the few calls that obstore cannot sign:
uploads in parts. Pure: the time is an argument.

Written from Amazon's "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_NO_QUERY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs for one bucket. `endpoint` is a URL without the bucket."""

    endpoint: str
    bucket: str
    region: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    is_virtual_hosted: bool = False

    def address(
        self, method: str, key: str, *, now: float, expires_s: float, query: Mapping[str, str] = _NO_QUERY
    ) -> str:
        """Where `method` may be done with the object until `expires_s` from now."""
        parts = urlsplit(self.endpoint)
        host = f"{self.bucket}.{parts.netloc}" if self.is_virtual_hosted else parts.netloc
        bucket = "" if self.is_virtual_hosted else f"/{self.bucket}"
        path = quote(f"{parts.path.rstrip('/')}{bucket}/{key}", safe="/-._~")
        when = datetime.fromtimestamp(now, UTC)
        scope = f"{when:%Y%m%d}/{self.region}/s3/aws4_request"
        signed = _encoded({**query, **self._signing(f"{when:%Y%m%dT%H%M%SZ}", scope, expires_s)})
        request = "\n".join((method, path, signed, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"))
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = "\n".join((_ALGORITHM, f"{when:%Y%m%dT%H%M%SZ}", scope, digest))
        signature = hmac.new(self._key(scope), text.encode(), hashlib.sha256).hexdigest()
        return f"{parts.scheme}://{host}{path}?{signed}&X-Amz-Signature={signature}"

    def _signing(self, when: str, scope: str, expires_s: float) -> dict[str, str]:
        values = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.access_key_id}/{scope}",
            "X-Amz-Date": when,
            "X-Amz-Expires": str(int(expires_s)),
            "X-Amz-SignedHeaders": "host",
        }
        return values | ({"X-Amz-Security-Token": self.session_token} if self.session_token else {})

    def _key(self, scope: str) -> bytes:
        key = f"AWS4{self.secret_access_key}".encode()
        for word in scope.split("/"):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        return key


def _encoded(query: Mapping[str, str]) -> str:
    """Sorted by their encoded names, with nothing left as it is but what RFC 3986 calls unreserved."""
    pairs = sorted((quote(name, safe="-._~"), quote(value, safe="-._~")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)
