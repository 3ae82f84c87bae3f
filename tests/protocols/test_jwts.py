"""Tokens and keys that are not what they say: none of them may raise anything but a refusal."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.errors import Unauthorized
from fairlead.protocols import jwts
from support.identity_provider import KEY, public

ISSUER, AUDIENCE = "https://id.example.com", "iris"
KEYS = jwts.read_keys({"keys": [public(KEY)]})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def refused(token: str) -> bool:
    try:
        jwts.verify(token, KEYS, issuer=ISSUER, audience=AUDIENCE, now=time.time())
    except Unauthorized:
        return True
    return False


@given(st.text(max_size=40) | st.lists(JSON.map(json.dumps).map(part), min_size=3, max_size=3).map(".".join))
def test_any_text_is_refused(token: str) -> None:
    assert refused(token)


@given(JSON, st.sampled_from(["alg", "kid", "crit", "typ", "b64"]))
def test_any_header_is_refused(value: Any, name: str) -> None:
    header = {"alg": "RS256", "kid": "one", name: value}

    assert refused(f"{part(json.dumps(header))}.{part('{}')}.{part('x')}")


@given(JSON, st.sampled_from(["exp", "nbf", "iat", "aud", "iss", "sub"]))
def test_odd_claims_of_the_issuer_itself_are_let_in_only_when_they_fit(value: Any, name: str) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60, name: value}

    payload = json.dumps(claims).encode()
    is_refused = refused(jwt.PyJWS().encode(payload, KEY, algorithm="RS256", headers={"kid": "one"}))

    if name in ("exp", "aud", "iss") and not isinstance(value, int | float):
        assert is_refused or (name == "aud" and value == [AUDIENCE])


@pytest.mark.parametrize("exp", [float("nan"), float("inf"), 10**400, True, "9999999999"])
def test_an_end_that_never_comes_is_none(exp: Any) -> None:
    with pytest.raises(Unauthorized):
        jwts._check({"iss": ISSUER, "aud": AUDIENCE, "exp": exp}, issuer=ISSUER, audience=AUDIENCE, now=0.0)


def test_json_nested_deeper_than_python_goes_is_refused() -> None:
    deep = part("[" * 5000)

    assert refused(f"{deep}.{part('{}')}.{part('x')}")
    assert refused(f"{part(json.dumps({'alg': 'RS256', 'kid': 'one'}))}.{deep}.{part('x')}")


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["keys", "x"]), JSON | st.lists(st.dictionaries(st.text(max_size=3), JSON))))
def test_any_document_is_read_as_keys(document: dict[str, Any]) -> None:
    assert jwts.read_keys(document) == ()


@given(st.sampled_from(["n", "e", "kty", "use", "alg", "kid"]), JSON)
def test_keys_with_one_odd_part_stop_nothing(name: str, value: Any) -> None:
    jwts.read_keys({"keys": [{**public(KEY), name: value}]})
