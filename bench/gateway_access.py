"""What it costs the gateway to ask who comes, per request: the check alone, without sockets.

`python -m bench.gateway_access` prints microseconds of CPU for an open deployment, and for ones that want a token or a
signed one: for a head that passed before (a connection that repeats its headers), and for one that is new.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from fairlead.backends.local.gateway.doors import Doors
from fairlead.backends.local.gateway.finding import Forward
from fairlead.backends.local.gateway.messages import Admit, KnownIssuer, KnownToken
from fairlead.backends.local.gateway.splitting import Splitter
from fairlead.backends.local.gateway.switchboard import CompiledRoute, Epoch
from fairlead.plan.access import OPEN, Access, AccessMode
from fairlead.plan.model import Route
from fairlead.plan.routing import Service
from fairlead.protocols.exchange import Request
from fairlead.protocols.frames import encode_request_head

ISSUER, AUDIENCE = "https://id.example.com", "iris"
TOKENS = 1000
ROUNDS = 20_000


def route_of(access: Access) -> CompiledRoute:
    service = Service(kind="InferenceService", namespace="ns", name="iris", routes=(), pools=(), access=access)
    return CompiledRoute(service, Route(), (), (), Splitter([]))


def request_of(token: str) -> Request:
    headers = [(b"host", b"iris.ns.localhost"), (b"content-type", b"application/json")]
    return Request(
        "POST", "/v1/models/iris:predict", b"", [*headers, (b"authorization", f"Bearer {token}".encode())], b""
    )


def microseconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """CPU time of one call: the least of five goes."""

    def once() -> float:
        start = time.process_time_ns()
        for _ in range(rounds):
            work()
        return (time.process_time_ns() - start) / rounds / 1000

    return min(once() for _ in range(5))


def main() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": "one"}
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 3600}
    tokens = [f"flt_{number:043d}" for number in range(TOKENS)]
    known = tuple(KnownToken(digest=hashlib.sha256(text.encode()).digest()) for text in tokens)
    with tempfile.TemporaryDirectory() as folder:
        doors = Doors(Path(folder) / "access", time.time)
        doors.admit(Admit(known, (KnownIssuer(issuer=ISSUER, keys=json.dumps({"keys": [jwk]}).encode()),)))
    signed = jwt.encode(claims, key, algorithm="RS256", headers={"kid": "one"})
    cases = (
        ("token", Access(mode=AccessMode.TOKEN), request_of(tokens[500])),
        ("jwt", Access(mode=AccessMode.JWT, issuer=ISSUER, audience=AUDIENCE), request_of(signed)),
    )
    opened = route_of(OPEN)
    print(f"{'open':<28}{microseconds(lambda: opened.is_guarded):8.2f} us")
    for name, access, request in cases:
        route = route_of(access)
        head = encode_request_head(request.method, request.path, request.query, request.headers)
        forward = Forward(Epoch(), route, head)

        def again(route: CompiledRoute = route, forward: Forward = forward, request: Request = request) -> None:
            assert doors.refusal(route, forward, request) is None

        def anew(route: CompiledRoute = route, head: bytes = head, request: Request = request) -> None:
            assert doors.refusal(route, Forward(Epoch(), route, head), request) is None

        def unseen(route: CompiledRoute = route, head: bytes = head, request: Request = request) -> None:
            doors._verified.clear()
            assert doors.refusal(route, Forward(Epoch(), route, head), request) is None

        print(f"{name + ', head known':<28}{microseconds(again):8.2f} us")
        print(f"{name + ', head new':<28}{microseconds(anew):8.2f} us")
        if access.mode is AccessMode.JWT:
            print(f"{name + ', token new':<28}{microseconds(unseen, 2000):8.2f} us")


if __name__ == "__main__":
    main()
