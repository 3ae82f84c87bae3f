"""The floor: the least a Python server can do for one scikit-learn row. Every other figure is a ratio to it.

uvloop, httptools and orjson; rows that arrive in one turn of the loop are predicted together. It checks nothing,
answers nothing but predictions and knows one model.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import httptools
import joblib
import numpy as np
import orjson
import uvloop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Floor(asyncio.Protocol):
    """One connection."""

    model: Any
    rows: list[list[float]] = []  # noqa: RUF012 - shared by all connections on purpose
    waiting: list[asyncio.Transport] = []  # noqa: RUF012

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body = body

    def on_message_complete(self) -> None:
        if not self.rows:
            asyncio.get_running_loop().call_soon(self.flush)
        self.rows.append(orjson.loads(self.body)["data"]["ndarray"][0])
        self.waiting.append(self.transport)

    def flush(self) -> None:
        rows, waiting = self.rows[:], self.waiting[:]
        self.rows.clear()
        self.waiting.clear()
        for transport, row in zip(waiting, self.model.predict_proba(np.array(rows)).tolist(), strict=True):
            body = orjson.dumps({"data": {"names": ["t:0", "t:1", "t:2"], "ndarray": [row]}, "meta": {}})
            transport.write(HEAD % len(body) + body)


async def main(folder: Path, port: int) -> None:
    """Serve the model in `folder`."""
    Floor.model = joblib.load(folder / "model.joblib")
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2])))
