"""Asking another service, over real sockets."""

import http.server
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead.errors import NotReady, UnitFailed
from fairlead.runtimes.failures import Refused
from fairlead.runtimes.upstream import Caller, Place, travelling
from support.mumbling_server import Mumbling, serving
from support.unix_http import UnixHTTPServer


@contextmanager
def calling(**place: Any) -> Iterator[Caller]:
    with closing(Caller(Place(**place))) as caller:
        yield caller


@pytest.fixture
def socket_path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="fl-") as folder, serving(UnixHTTPServer(Path(folder) / "in", Mumbling)):
        yield str(Path(folder) / "in")


@pytest.fixture
def address() -> Iterator[str]:
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mumbling)) as server:
        yield f"127.0.0.1:{server.server_address[1]}"


def test_a_service_of_ours_is_asked_through_the_socket_by_its_host_name(socket_path: str) -> None:
    with calling(host="iris-predictor.default", socket=socket_path) as caller:
        first, again = (caller.post_json("/v1/models/iris:predict", {"instances": [1]}, {}) for _ in range(2))

    assert (first["path"], first["host"]) == ("/v1/models/iris:predict", "iris-predictor.default")
    assert first["asked"] == {"instances": [1]}
    assert again["from"] == first["from"]  # over the same connection


def test_a_host_may_have_a_path_before_every_other(address: str) -> None:
    with calling(host=f"{address}/serving/default/iris") as caller:
        told = caller.post_json("/v1/models/iris:predict", {}, {})

    assert told["path"] == "/serving/default/iris/v1/models/iris:predict"


def test_a_refusal_keeps_its_status_and_its_words(socket_path: str) -> None:
    with calling(host="x", socket=socket_path) as caller, pytest.raises(Refused, match=r"^too much$") as refused:
        caller.post_json("/refuses", {}, {})

    assert refused.value.http == 429


def test_an_answer_that_is_no_json_is_the_services_failure(socket_path: str) -> None:
    with calling(host="x", socket=socket_path) as caller, pytest.raises(UnitFailed, match="answered what is not JSON"):
        caller.post_json("/mumbles", {}, {})


def test_a_service_that_is_not_there_or_hangs_up_is_not_ready(socket_path: str, tmp_path: Path) -> None:
    gone = str(tmp_path / "none")
    with calling(host="x", socket=gone) as caller, pytest.raises(NotReady, match=r"^ConnectError : All connection"):
        caller.post_json("/", {}, {})
    with calling(host="x", socket=socket_path, retries=1) as caller, pytest.raises(NotReady, match="ConnectError"):
        caller.post_json("/hangs-up", {}, {})


def test_headers_that_travel_on_are_the_known_ones_and_those_of_the_list() -> None:
    headers = {"X-Request-Id": "1", "Authorization": "a", "X-Tenant-Name": "t", "Cookie": "c", "Host": "h"}

    assert travelling(headers, ()) == {"X-Request-Id": "1", "Authorization": "a"}
    assert travelling(headers, ("(?i:x-tenant)", "(?i:host)")) == {
        "X-Request-Id": "1",
        "Authorization": "a",
        "X-Tenant-Name": "t",
    }
