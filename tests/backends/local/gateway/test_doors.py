"""Deployments that do not answer everybody: tokens of ours, and tokens that an issuer signed."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from fairlead.backends.local.gateway.doors import Doors, without_credentials
from fairlead.backends.local.gateway.messages import Admit, KnownIssuer, KnownToken
from fairlead.plan.access import OPEN, Access, AccessMode
from fairlead.protocols.exchange import Handler
from fairlead.protocols.frames import encode_request_head
from fairlead.protocols.grpc import grpc_response
from support.gateways import Bench, Worker, bench, pool, service
from support.identity_provider import KEY, OTHER_KEY, public, signed
from support.wire import Received, Wire, post, wire_to

pytestmark = pytest.mark.anyio

ISSUER, AUDIENCE = "https://id.example.com", "iris"
BY_TOKEN = Access(mode=AccessMode.TOKEN)
BY_JWT = Access(mode=AccessMode.JWT, issuer=ISSUER, audience=AUDIENCE)


def known(text: str, **values: Any) -> KnownToken:
    return KnownToken(digest=hashlib.sha256(text.encode()).digest(), **values)


def admit(*tokens: KnownToken) -> Admit:
    keys = json.dumps({"keys": [public(KEY)]}).encode()
    return Admit(tokens, (KnownIssuer(issuer=ISSUER, keys=keys),))


@pytest.fixture
async def made() -> AsyncIterator[Bench]:
    async with bench() as opened:
        yield opened


async def serve(made: Bench, access: Access, protocol: str = "seldon", handler: Handler | None = None) -> Worker:
    worker = made.workers[0] if made.workers else await made.worker("w", handler)
    await made.serve(replace(service("iris", {"default": pool(worker, protocol=protocol)}), access=access))
    return worker


async def ask(made: Bench, *headers: str) -> Received:
    async with wire_to(made.port) as wire:
        return await wire.ask(post("/seldon/ns/iris/api/v1.0/predictions", b"{}", *headers))


async def status(made: Bench, token: str) -> int:
    return (await ask(made, f"Authorization: Bearer {token}")).status


async def test_only_who_has_a_token_that_reaches_the_namespace_gets_in(made: Bench) -> None:
    worker = await serve(made, BY_TOKEN)
    now = time.time()
    await made.client.admit(
        admit(
            known("everywhere"),
            known("here", namespaces=("ns", "x")),
            known("elsewhere", namespaces=("x",)),
            known("ended", expires_at=now - 1),
            known("lasting", expires_at=now + 1000),
        )
    )

    codes = {text: await status(made, text) for text in ("everywhere", "here", "lasting", "elsewhere", "ended", "no")}

    assert codes == {"everywhere": 200, "here": 200, "lasting": 200, "elsewhere": 403, "ended": 401, "no": 401}
    for headers in (
        (),
        ("Authorization: Basic everywhere",),
        ("Authorization: everywhere",),
        ("Authorization: Bearer",),
    ):
        refused = await ask(made, *headers)
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert len(worker.requests) == 3


async def test_two_tokens_are_none(made: Bench) -> None:
    await serve(made, BY_TOKEN)
    await made.client.admit(admit(known("good")))

    assert (await ask(made, "Authorization: Bearer good", "Authorization: Bearer bad")).status == 401


async def test_the_worker_does_not_get_the_token(made: Bench) -> None:
    worker = await serve(made, BY_TOKEN)
    await made.client.admit(admit(known("secret")))

    for _ in range(2):
        await ask(made, "Authorization: Bearer secret", "X-Mine: kept")

    for request in worker.requests:
        names = {name for name, _ in request.headers}
        assert b"x-mine" in names
        assert b"authorization" not in names


async def test_refusals_are_in_the_words_of_the_protocol(made: Bench) -> None:
    await made.client.admit(admit())
    await serve(made, BY_TOKEN, "seldon")
    seldon = json.loads((await ask(made)).body)
    await serve(made, BY_TOKEN, "v2")
    v2 = json.loads((await ask(made)).body)

    assert seldon["status"]["code"] == 401
    assert seldon["status"]["info"] == v2["error"] == "ns/iris asks for a token: Authorization: Bearer …"


async def test_what_is_told_counts_at_once_on_a_connection_that_stands(made: Bench) -> None:
    await serve(made, BY_TOKEN)
    data = post("/seldon/ns/iris/api/v1.0/predictions", b"{}", "Authorization: Bearer mine")
    async with wire_to(made.port) as wire:
        await made.client.admit(admit(known("mine")))
        first = [(await wire.ask(data)).status for _ in range(3)]
        await made.client.admit(admit())
        revoked = (await wire.ask(data)).status
        await made.client.admit(admit(known("mine")))
        again = (await wire.ask(data)).status
        await made.serve(replace(made.gateway.switchboard.table.services[0], access=OPEN))
        opened = (await wire.ask(post("/seldon/ns/iris/api/v1.0/predictions", b"{}"))).status

    assert (first, revoked, again, opened) == ([200] * 3, 401, 200, 200)


async def test_a_token_that_ends_is_refused_though_its_head_passed_before(made: Bench) -> None:
    await serve(made, BY_TOKEN)
    ends = time.time() + 1000
    clock = {"now": ends - 1}
    made.gateway.doors._clock = lambda: clock["now"]
    await made.client.admit(admit(known("mine", expires_at=ends)))
    data = post("/seldon/ns/iris/api/v1.0/predictions", b"{}", "Authorization: Bearer mine")

    async with wire_to(made.port) as wire:
        before = (await wire.ask(data)).status
        clock["now"] = ends
        after = (await wire.ask(data)).status

    assert (before, after) == (200, 401)


async def test_before_anything_was_told_nobody_gets_in_and_it_is_worth_trying_again(made: Bench) -> None:
    await serve(made, BY_TOKEN)

    refused = await ask(made, "Authorization: Bearer anything")

    assert (refused.status, refused.headers["retry-after"]) == (503, "1")


async def test_a_gateway_that_starts_again_knows_what_it_was_told(made: Bench) -> None:
    await made.client.admit(admit(known("mine")))
    path = made.folder / "table.access"
    again = Doors(path, time.time)
    again.load()

    assert path.stat().st_mode & 0o777 == 0o600
    assert again._told == admit(known("mine"))
    assert b"mine" not in path.read_bytes()


async def test_our_own_services_are_not_asked(made: Bench) -> None:
    await serve(made, BY_TOKEN)

    reader, writer = await asyncio.open_unix_connection(made.folder / "inside.sock")
    answer = await Wire(reader, writer).ask(post("/seldon/ns/iris/api/v1.0/predictions", b"{}"))
    writer.close()

    assert answer.status == 200


def claims(**values: Any) -> dict[str, Any]:
    given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": time.time() + 60, **values}
    return {name: value for name, value in given.items() if value is not None}


def _with_shared_secret(given: Mapping[str, Any]) -> str:
    """The public key taken for a shared secret: PyJWT would not sign so itself."""
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    parts = ({"alg": "HS256", "typ": "JWT", "kid": "one"}, given)
    body = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return (body + b"." + base64.urlsafe_b64encode(hmac.digest(pem, body, "sha256")).rstrip(b"=")).decode()


FORGED: Mapping[str, Callable[[], str]] = {
    "unsigned": lambda: jwt.encode(claims(), "", algorithm="none"),
    "with the public key as a shared secret": lambda: _with_shared_secret(claims()),
    "with another key": lambda: signed(claims(), OTHER_KEY),
    "with a key nobody knows": lambda: signed(claims(), OTHER_KEY, kid="two"),
    "by another issuer": lambda: signed(claims(iss="https://evil.example")),
    "for another audience": lambda: signed(claims(aud="wine")),
    "for no audience": lambda: signed(claims(aud=None)),
    "expired": lambda: signed(claims(exp=time.time() - 31)),
    "without an end": lambda: signed(claims(exp=None)),
    "not yet": lambda: signed(claims(nbf=time.time() + 60)),
    "no token at all": lambda: "a.b.c",
}


@pytest.mark.parametrize("sort", FORGED)
async def test_a_token_that_the_issuer_did_not_sign_for_us_is_refused(made: Bench, sort: str) -> None:
    await serve(made, BY_JWT)
    await made.client.admit(admit(known("mine")))

    assert await status(made, FORGED[sort]()) == 401


async def test_a_token_that_the_issuer_signed_gets_in_and_on_to_the_worker(made: Bench) -> None:
    worker = await serve(made, BY_JWT)
    await made.client.admit(admit(known("mine")))
    token = signed(claims(aud=["other", AUDIENCE]))

    codes = [await status(made, token), await status(made, token), await status(made, "mine")]

    assert codes == [200, 200, 401]
    assert dict(worker.requests[0].headers)[b"authorization"] == f"Bearer {token}".encode()


async def test_keys_that_are_not_there_yet_are_worth_waiting_for(made: Bench) -> None:
    await serve(made, BY_JWT)
    await made.client.admit(Admit())

    assert await status(made, signed(claims())) == 503


@pytest.mark.parametrize(
    ("metadata", "code"),
    [((), 16), ((("authorization", "Bearer mine"),), 0), ((("authorization", "Bearer elsewhere"),), 7)],
)
async def test_grpc_calls_are_refused_with_their_own_codes(
    made: Bench, metadata: tuple[tuple[str, str], ...], code: int
) -> None:
    await made.client.admit(admit(known("mine"), known("elsewhere", namespaces=("x",))))
    await serve(made, BY_TOKEN, handler=lambda _request, reply: reply(grpc_response(b"")))

    async with grpc.aio.insecure_channel(f"127.0.0.1:{made.port}") as channel:
        try:
            await channel.unary_unary("/seldon.protos.Seldon/Predict")(b"", metadata=metadata, timeout=10)
            got = 0
        except grpc.aio.AioRpcError as error:
            got = error.code().value[0]

    assert got == code


def test_a_head_loses_nothing_but_its_authorization() -> None:
    headers = [(b"host", b"h"), (b"authorization", b"Bearer x"), (b"authorization", b"y"), (b"b", b"authorization")]
    head = encode_request_head("POST", "/p", b"q", headers)

    assert without_credentials(head) == encode_request_head("POST", "/p", b"q", [headers[0], headers[3]])
    assert without_credentials(encode_request_head("GET", "/", b"", [])) == encode_request_head("GET", "/", b"", [])
