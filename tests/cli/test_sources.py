"""Where `-f` points."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from fairlead.cli.sources import read_all
from fairlead.errors import NotFound


def test_the_manifests_of_a_folder_come_by_name_and_nothing_else_does(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.json", "c.yml", "notes.txt"):
        (tmp_path / name).write_text(name)

    assert [source.text for source in read_all([str(tmp_path)])] == ["a.json", "b.yaml", "c.yml"]


def test_a_folder_without_manifests_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no \.yaml, \.yml, \.json file"):
        read_all([str(tmp_path)])


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match=r"nowhere\.yaml: no such file or folder"):
        read_all(["nowhere.yaml"])


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO("kind: Größe".encode())))

    (source,) = read_all(["-"])

    assert (source.name, source.text) == ("<stdin>", "kind: Größe")


@contextmanager
def site(pages: dict[str, bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = pages.get(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_a_url_is_fetched_and_its_refusal_is_told() -> None:
    with site({"/m.yaml": b"kind: Namespace"}) as url:
        (source,) = read_all([f"{url}/m.yaml"])
        with pytest.raises(NotFound, match=r"/gone\.yaml: the server answers 404 Not Found"):
            read_all([f"{url}/gone.yaml"])

    assert source.text == "kind: Namespace"
