"""Annotations that say whose requests a resource answers."""

from typing import Any

import pytest

from fairlead.dialects.access import access_of, refuse_access
from fairlead.errors import InvalidManifest, UnrunnableManifest
from fairlead.plan.access import OPEN, Access, AccessMode

ISSUER, AUDIENCE = "https://id.example.com", "iris"


def document(*, spec: dict[str, Any] | None = None, **annotations: str) -> dict[str, Any]:
    named = {f"fairlead.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return {"metadata": {"name": "x", "annotations": named}, "spec": spec or {}}


@pytest.mark.parametrize(
    ("given", "access"),
    [
        (document(), OPEN),
        ({"metadata": {}, "spec": None}, OPEN),
        (document(auth=""), OPEN),
        (document(auth="none"), OPEN),
        (document(auth="token"), Access(mode=AccessMode.TOKEN)),
        (document(spec={"annotations": {"fairlead.dev/auth": "token"}}), Access(mode=AccessMode.TOKEN)),
        (document(spec={"annotations": {"fairlead.dev/auth": "none"}}, auth="token"), Access(mode=AccessMode.TOKEN)),
        (
            document(auth="jwt", auth_jwt_issuer=ISSUER, auth_jwt_audience=AUDIENCE),
            Access(mode=AccessMode.JWT, issuer=ISSUER, audience=AUDIENCE),
        ),
    ],
)
def test_what_is_asked_for_is_read(given: dict[str, Any], access: Access) -> None:
    assert access_of(given) == access


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (document(auth="Token"), "'Token' is none of none, token, jwt"),
        (document(auth="jwt", auth_jwt_audience=AUDIENCE), "must be the issuer's https address"),
        (document(auth="jwt", auth_jwt_issuer=ISSUER), "must be what the issuer puts into `aud`"),
        (
            document(auth="jwt", auth_jwt_issuer="http://id.example.com", auth_jwt_audience=AUDIENCE),
            "must be the issuer's https address",
        ),
        (document(auth_jwt_issuer=ISSUER), "means something only with fairlead.dev/auth: jwt"),
        (document(auth="token", auth_jwt_audience=AUDIENCE), "means something only with fairlead.dev/auth: jwt"),
    ],
)
def test_a_lock_that_cannot_be_read_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidManifest, match=words):
        access_of(given)


def test_in_a_cluster_a_lock_that_nobody_would_hold_is_refused() -> None:
    refuse_access(document(auth="none"))
    with pytest.raises(UnrunnableManifest, match="requests do not pass Fairlead's gateway"):
        refuse_access(document(auth="token"))
