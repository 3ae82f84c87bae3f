"""A web server with one file, which it begins to send only when it is let."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class HangingServer:
    """`asked` is set when somebody wants the file; `go_on` lets it be sent. Use as a context manager."""

    def __init__(self, file: Path) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()
        content, hanging = file.read_bytes(), self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hanging.asked.set()
                hanging.go_on.wait(60)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET  # noqa: N815 - the base class's name

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Whoever asked is gone, as the tests want it."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/{file.name}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> "HangingServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
