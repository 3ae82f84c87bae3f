"""wrk in the background: as much load as a few connections make, and a count of everything that was no 2xx."""

import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.load import wrk
from bench.rollout.asking import ROW

_LONGEST_S = 600
_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[%s]==]
local said = 0
response = function(status, headers, body)
  if status ~= 200 and said < 3 then
    said = said + 1
    io.write(string.format("!%%d %%s\\n", status, body:gsub("\\n", " "):sub(1, 300)))
    io.flush()
  end
end
done = function(summary, latency, requests)
  io.write(string.format('\\n@{"requests":%%d,"us":%%d,"p50_us":%%d,"p99_us":%%d,"max_us":%%d,"bad":%%d,"errors":%%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(slots=True)
class Flood:
    """What wrk counted, once it is over: requests, latencies, answers that were no 2xx (`bad`), and errors of
    sockets. `words` are the first of the bad answers."""

    counted: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether every request was answered with 200."""
        return bool(self.counted) and not self.counted["bad"] and not self.counted["errors"]


@contextmanager
def flood(url: str, *, connections: int) -> Iterator[Flood]:
    """Load while the block runs."""
    found = Flood()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "flood.lua")
        script.write_text(_SCRIPT % ROW.decode())
        command = [wrk(), "-t1", f"-c{connections}", f"-d{_LONGEST_S}s", "--timeout", "60s", "-s", str(script), url]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            yield found
        finally:
            # At SIGINT wrk stops and says what it counted.
            running.send_signal(signal.SIGINT)
            output, _ = running.communicate()
    lines = output.splitlines()
    found.words = [line[1:] for line in lines if line.startswith("!")]
    found.counted = json.loads(next(line for line in lines if line.startswith("@"))[1:])
