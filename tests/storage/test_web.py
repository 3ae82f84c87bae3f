import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import Forbidden, StorageError, StorageUnavailable
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.certificates import make_certificate
from support.web_files import FileServer, Served, file_server

MODEL = bytes(range(256)) * 4096
QUICK = Patience(attempts=3, first_pause_s=0.001, read_timeout_s=5)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", patience=QUICK)


def only_file(folder: Path) -> tuple[str, bytes]:
    (path,) = folder.iterdir()
    return path.name, path.read_bytes()


def test_a_file_is_fetched_with_one_request_and_named_by_its_url(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/m/model.joblib"] = Served(MODEL)

    assert only_file(fetcher.fetch(f"{server.url}/m/model.joblib")) == ("model.joblib", MODEL)
    assert len(server.asked) == 1


def test_an_unchanged_file_is_not_downloaded_again_and_a_changed_one_is(server: FileServer, fetcher: Fetcher) -> None:
    uri = f"{server.url}/model.bst"
    server.files["/model.bst"] = Served(MODEL)
    first = fetcher.fetch(uri)
    server.files["/model.bst"] = Served(b"", headers={"Content-Length": str(len(MODEL))}, cut_at=0)

    assert fetcher.fetch(uri) == first
    server.files["/model.bst"] = Served(b"retrained", etag='"v2"')
    assert only_file(fetcher.fetch(uri)) == ("model.bst", b"retrained")


def test_the_name_comes_from_content_disposition_when_there_is_one(server: FileServer, fetcher: Fetcher) -> None:
    header = "attachment; filename*=UTF-8''mod%C3%A8le.joblib"
    server.files["/download"] = Served(MODEL, headers={"Content-Disposition": header})

    assert only_file(fetcher.fetch(f"{server.url}/download?id=7"))[0] == "modèle.joblib"


@pytest.mark.parametrize("said", ["../../evil.joblib", "/etc/evil.joblib", "..\\evil.joblib"])
def test_a_name_that_climbs_loses_its_folders(server: FileServer, fetcher: Fetcher, said: str) -> None:
    server.files["/x"] = Served(MODEL, headers={"Content-Disposition": f'attachment; filename="{said}"'})

    fetched = fetcher.fetch(f"{server.url}/x")

    assert only_file(fetched)[0] == "evil.joblib"


def test_a_url_without_a_file_name_is_refused(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/"] = Served(MODEL)

    with pytest.raises(StorageError, match="no file name"):
        fetcher.fetch(f"{server.url}/")


def test_redirects_are_followed_and_the_first_name_stays(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/latest/model.bst"] = Served(status=302, headers={"Location": "/blob/8f2c?sig=hush"})
    server.files["/blob/8f2c"] = Served(MODEL)

    assert only_file(fetcher.fetch(f"{server.url}/latest/model.bst")) == ("model.bst", MODEL)


def test_a_redirect_to_where_the_owner_does_not_allow_is_refused(server: FileServer, tmp_path: Path) -> None:
    fetcher = Fetcher(tmp_path / "cache", allowed_sources=[f"{server.url}/public/*"], patience=QUICK)
    server.files["/public/model.bst"] = Served(status=302, headers={"Location": "/private?sig=hush"})

    with pytest.raises(Forbidden, match=r"/private: models from there are not allowed"):
        fetcher.fetch(f"{server.url}/public/model.bst")
    assert [asked.path for asked in server.asked] == ["/public/model.bst"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_to_something_else_than_the_web_is_refused(
    server: FileServer, fetcher: Fetcher, target: str
) -> None:
    server.files["/m"] = Served(status=301, headers={"Location": target})

    with pytest.raises(StorageError, match=r"refused|not allowed"):
        fetcher.fetch(f"{server.url}/m")


def test_a_redirect_loop_ends(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/m"] = Served(status=302, headers={"Location": "/m"})

    with pytest.raises(StorageError, match="HTTP 302"):
        fetcher.fetch(f"{server.url}/m")


def test_a_login_stays_with_its_server_and_does_not_follow_to_another(server: FileServer, fetcher: Fetcher) -> None:
    with file_server() as stranger:
        server.files["/m"] = Served(status=302, headers={"Location": "/here"})
        server.files["/here"] = Served(status=302, headers={"Location": f"{stranger.url}/there"})
        stranger.files["/there"] = Served(status=302, headers={"Location": f"{server.url}/back"})
        server.files["/back"] = Served(MODEL)

        fetcher.fetch(server.url.replace("http://", "http://me:p%40ss@") + "/m")

    sent = {asked.path: asked.headers.get("Authorization") for asked in (*server.asked, *stranger.asked)}
    login = "Basic bWU6cEBzcw=="
    assert sent == {"/m": login, "/here": login, "/there": None, "/back": None}


def test_a_secrets_headers_go_to_their_host_and_nowhere_else(server: FileServer, fetcher: Fetcher) -> None:
    env = {"127.0.0.1-headers": '{"X-Api-Key": "hush-hush-hush", "Account": "acme"}', "example.com-headers": "{"}
    with file_server() as stranger:
        server.files["/m"] = Served(status=302, headers={"Location": f"{stranger.url}/blob"})
        stranger.files["/blob"] = Served(MODEL)

        assert only_file(fetcher.fetch(f"{server.url}/m", env=env)) == ("m", MODEL)

    assert [asked.headers.get("X-Api-Key") for asked in (*server.asked, *stranger.asked)] == ["hush-hush-hush", None]


@pytest.mark.parametrize("text", ["not json", '["a"]', '{"Bad Name": "x"}', '{"X": "a\\r\\nY: b"}', '{"X": 1}'])
def test_headers_that_cannot_be_sent_are_refused_without_showing_them(fetcher: Fetcher, text: str) -> None:
    with pytest.raises(StorageError, match=r"example\.com-headers") as caught:
        fetcher.fetch("https://example.com/m", env={"example.com-headers": text})

    assert "a\r" not in str(caught.value)


def test_a_cut_connection_is_resumed_where_it_broke(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/model.bst"] = Served(MODEL, cut_at=300_000, cuts=3)

    assert only_file(fetcher.fetch(f"{server.url}/model.bst"))[1] == MODEL
    assert [asked.headers.get("Range") for asked in server.asked] == [
        None,
        "bytes=300000-",
        "bytes=600000-",
        "bytes=900000-",
    ]
    assert server.asked[1].headers["If-Range"] == '"v1"'


def test_a_server_without_ranges_is_asked_from_the_beginning(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/model.bst"] = Served(MODEL, cut_at=300_000, cuts=1, has_ranges=False)

    assert only_file(fetcher.fetch(f"{server.url}/model.bst"))[1] == MODEL


def test_a_complete_copy_of_a_file_of_unknown_size_is_not_asked_beyond_its_end(
    server: FileServer, fetcher: Fetcher
) -> None:
    arrived = 0

    def note(done: int, total: int) -> None:
        nonlocal arrived
        arrived = done

    server.files["/model.bst"] = Served(MODEL, has_length=False)
    with pytest.raises(StorageUnavailable, match="stopped"):
        fetcher.fetch(f"{server.url}/model.bst", progress=note, should_stop=lambda: arrived > 0)
    (partial,) = (fetcher.cache.root / "partial").iterdir()
    partial.write_bytes(MODEL)

    assert only_file(fetcher.fetch(f"{server.url}/model.bst"))[1] == MODEL


def test_a_file_replaced_during_the_transfer_is_fetched_whole(server: FileServer, fetcher: Fetcher) -> None:
    new = Served(b"n" * 500_000, etag='"v2"')
    server.files["/model.bst"] = Served(
        MODEL, cut_at=300_000, cuts=1, before_body=lambda: server.files.__setitem__("/model.bst", new)
    )

    assert only_file(fetcher.fetch(f"{server.url}/model.bst"))[1] == new.content


def test_a_file_that_is_always_cut_fails_with_the_sizes(server: FileServer, fetcher: Fetcher, tmp_path: Path) -> None:
    served = Served(MODEL, etag="", cut_at=1000, cuts=99)
    server.files["/model.bst"] = served

    with pytest.raises(StorageUnavailable, match=f"ended after 1000 of {len(MODEL)} bytes"):
        fetcher.fetch(f"{server.url}/model.bst")
    assert len(server.asked) == 3
    assert not list((tmp_path / "cache" / "snapshots").iterdir())


def test_a_file_of_unknown_size_is_fetched_with_a_total_of_zero(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/model.bst"] = Served(MODEL, has_length=False)
    heard: list[tuple[int, int]] = []

    fetched = fetcher.fetch(f"{server.url}/model.bst", progress=lambda done, total: heard.append((done, total)))

    assert only_file(fetched)[1] == MODEL
    assert heard[-1] == (len(MODEL), 0)


def test_without_a_version_the_file_is_always_fetched_again(server: FileServer, fetcher: Fetcher) -> None:
    uri = f"{server.url}/model.bst"
    server.files["/model.bst"] = Served(b"one", etag="")
    fetcher.fetch(uri)
    server.files["/model.bst"] = Served(b"two", etag="")

    assert only_file(fetcher.fetch(uri))[1] == b"two"


def test_passing_failures_are_asked_again(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/model.bst"] = Served(MODEL, failures=[503, 429])

    assert only_file(fetcher.fetch(f"{server.url}/model.bst"))[1] == MODEL


def test_a_server_that_stays_busy_is_unavailable(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/model.bst"] = Served(failures=[503] * 9)

    with pytest.raises(StorageUnavailable, match=r"model\.bst: HTTP 503 busy") as caught:
        fetcher.fetch(f"{server.url}/model.bst")
    assert caught.value.after_s == 0
    assert len(server.asked) == 3


def test_a_missing_file_is_not_asked_for_twice(server: FileServer, fetcher: Fetcher) -> None:
    with pytest.raises(StorageError, match=r"/nope\.bst: HTTP 404 no such page$"):
        fetcher.fetch(f"{server.url}/nope.bst?X-Signature=hush")
    assert len(server.asked) == 1


def test_a_refused_connection_is_unavailable(fetcher: Fetcher) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

        with pytest.raises(StorageUnavailable, match="Connection refused"):
            fetcher.fetch(f"http://127.0.0.1:{port}/model.bst")


@pytest.mark.slow
def test_a_server_that_stalls_is_unavailable(server: FileServer, tmp_path: Path) -> None:
    patience = Patience(attempts=1, read_timeout_s=0.2)
    released = threading.Event()
    server.files["/model.bst"] = Served(MODEL, before_body=lambda: released.wait(20))

    try:
        with pytest.raises(StorageUnavailable, match=r"nothing arrived for 0\.2 s"):
            Fetcher(tmp_path / "cache", patience=patience).fetch(f"{server.url}/model.bst")
    finally:
        released.set()


def test_a_web_page_is_not_a_model(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/model.bst"] = Served(b"<html>please log in", headers={"Content-Type": "text/html; charset=utf-8"})

    with pytest.raises(StorageError, match="is a web page"):
        fetcher.fetch(f"{server.url}/model.bst")


def test_an_encoded_answer_is_refused(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/model.bst"] = Served(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    with pytest.raises(StorageError, match=r"encodes the file \(gzip\)"):
        fetcher.fetch(f"{server.url}/model.bst")


def test_an_empty_file_fails(server: FileServer, fetcher: Fetcher) -> None:
    server.files["/model.bst"] = Served(b"")

    with pytest.raises(StorageError, match="every file there is empty"):
        fetcher.fetch(f"{server.url}/model.bst")


def test_a_certificate_nobody_trusts_is_a_permanent_failure(fetcher: Fetcher, tmp_path: Path) -> None:
    source = f"https://127.0.0.1:{_tls_port(tmp_path)}/model.bst"

    with pytest.raises(StorageError, match="certificate is not trusted"):
        fetcher.fetch(source)


def test_a_bundle_of_authorities_is_believed(fetcher: Fetcher, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "IP:127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with file_server(tls) as server:
        server.files["/model.bst"] = Served(MODEL)
        fetched = fetcher.fetch(f"{server.url}/model.bst", env={"CA_BUNDLE_PEM": certificate.read_text()})

    assert only_file(fetched) == ("model.bst", MODEL)
    with pytest.raises(StorageError, match="the CA bundle cannot be read"):
        fetcher.fetch("https://127.0.0.1:1/model.bst", env={"CA_BUNDLE_PEM": "no certificate"})


def _tls_port(folder: Path) -> int:
    """A listener that shows a certificate of its own making to whoever connects once."""
    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with listener, listener.accept()[0] as connection:
            try:
                context.wrap_socket(connection, server_side=True).close()
            except (ssl.SSLError, OSError):
                return

    threading.Thread(target=answer, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def test_no_signature_reaches_a_message_or_the_disk(server: FileServer, fetcher: Fetcher, tmp_path: Path) -> None:
    server.files["/ok.bst"] = Served(MODEL)
    fetcher.fetch(f"{server.url}/ok.bst?X-Amz-Signature=hush-hush")
    server.files["/bad.bst"] = Served(status=403, content=b"<Error><Message>bad hush-hush</Message></Error>")

    with pytest.raises(StorageError, match=r"HTTP 403 bad \*\*\*$"):
        fetcher.fetch(f"{server.url}/bad.bst?X-Amz-Signature=hush-hush")
    for path in (tmp_path / "cache").rglob("*"):
        assert "hush" not in path.name
        assert path.is_dir() or b"hush-hush" not in path.read_bytes()
