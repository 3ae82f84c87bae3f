"""A predictor over HTTP for code that asks one: rows in, a function's answers out, in V1 and V2."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

Function = Callable[[Any], Any]


@contextmanager
def predicting(function: Function, *, seen: list[dict[str, str]] | None = None) -> Iterator[str]:
    """`host:port` of a predictor; `seen` gets the headers of its requests."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if seen is not None:
                seen.append(dict(self.headers.items()))
            if self.path.startswith("/v2/"):
                (given,) = asked["inputs"]
                answer = np.asarray(function(np.asarray(given["data"]).reshape(given["shape"])))
                output = {
                    "name": "predict_proba",
                    "shape": list(answer.shape),
                    "datatype": "FP64",
                    "data": answer.ravel().tolist(),
                }
                value: dict[str, Any] = {"model_name": "m", "outputs": [output]}
            else:
                value = {"predictions": np.asarray(function(np.asarray(asked["instances"]))).tolist()}
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing on the test's output."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
