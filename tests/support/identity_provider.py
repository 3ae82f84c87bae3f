"""Providers of identities: a real one in a process of its own, and one of ours that signs whatever a test wants."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from support.loopback_server import loopback_server

_RUNNING = re.compile(r"http://127\.0\.0\.1:\d+")


@contextmanager
def real_provider(*people: Mapping[str, Any]) -> Iterator[str]:
    """oidc-provider-mock on a free port; gives its issuer."""
    users = [word for person in people for word in ("--user-claims", json.dumps(person))]
    argv = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "oidc_provider_mock",
        "--port",
        "0",
        "--require-nonce",
        "true",
        *users,
    ]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stderr is not None
            url = next(found[0] for line in process.stderr if (found := _RUNNING.search(line)))
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield url
        finally:
            process.terminate()


def consent(url: str, subject: str) -> str:
    """What a person does at the real provider: choose who they are. Gives where the provider sends them."""
    answer = requests.post(url, data={"sub": subject}, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


KEY, OTHER_KEY = new_key(), new_key()


@dataclass
class Signer:
    """An issuer whose next token a test writes. `asked` are the forms that came to the token endpoint."""

    url: str
    keys: list[dict[str, Any]]
    token: str = ""
    userinfo: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def answer(self, path: str) -> Mapping[str, Any]:
        self.requests.append(path)
        if path == "/.well-known/openid-configuration":
            endpoints = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
            return {
                "issuer": self.url,
                **{name: f"{self.url}/{last}" for name, last in endpoints.items()},
                "userinfo_endpoint": f"{self.url}/userinfo",
                **self.metadata,
            }
        if path == "/jwks":
            return {"keys": self.keys}
        return self.userinfo if path == "/userinfo" else {"id_token": self.token, "access_token": "a"}


def public(key: rsa.RSAPrivateKey, kid: str = "one") -> dict[str, Any]:
    """A key as its owner publishes it."""
    return {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


def signed(
    claims: Mapping[str, Any], key: Any = KEY, algorithm: str = "RS256", kid: str | None = "one", **headers: Any
) -> str:
    """A token."""
    return jwt.encode(dict(claims), key, algorithm=algorithm, headers={**({"kid": kid} if kid else {}), **headers})


@contextmanager
def signer() -> Iterator[Signer]:
    """Serve one until the block ends."""
    holder: list[Signer] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            holder[0].asked.append(parse_qs(body))
            self._answer()

        def _answer(self) -> None:
            content = json.dumps(holder[0].answer(self.path)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with loopback_server(Handler) as port:
        holder.append(Signer(url=f"http://127.0.0.1:{port}", keys=[public(KEY)]))
        yield holder[0]
