"""Kills processes of an installation by SIGKILL, one every few seconds, by a plan that a seed decides.

Workers die throughout. Nurseries and the control process die in the first two fifths of the run alone, so that those
that follow live long enough to show whether they leak. One replica of some deployments is spared for the same reason.
"""

import http.client
import json
import os
import random
import signal
from collections import Counter
from contextlib import closing, suppress
from urllib.parse import urlsplit

from bench.soak.watching import Watch

SPARED = ("iris", "oip", "graph", "logged")
_CONTROL_SHARE = 0.4
_NURSERY_EVERY = 6
_CONTROL_EVERY = 10
_PODS = "/api/v1/namespaces/default/pods"


class Killer:
    """Knows who may be killed next."""

    def __init__(self, control_url: str, watch: Watch, chance: random.Random) -> None:
        self._control = urlsplit(control_url).netloc
        self._watch = watch
        self._chance = chance
        self.killed: Counter[str] = Counter()
        self._turn = 0

    def spare(self) -> None:
        """Choose the workers that live on."""
        for name in SPARED:
            found = [pid for service, pid in self._workers() if service == name]
            self._watch.spared.update(dict.fromkeys(found[:1], name))

    def strike(self, share: float) -> str:
        """Kill somebody; `share` says how much of the run is over. What was killed, or "" when nobody was found."""
        self._turn += 1
        if share < _CONTROL_SHARE and self._turn % _CONTROL_EVERY == 4:
            return self._kill(self._watch.of_role("control"), "control")
        if share < _CONTROL_SHARE and self._turn % _NURSERY_EVERY == 2:
            nurseries = self._watch.nurseries()
            return self._kill(self._chance.choice(nurseries) if nurseries else None, "nursery")
        workers = [(service, pid) for service, pid in self._workers() if pid not in self._watch.spared]
        if not workers:
            return ""
        service, pid = self._chance.choice(workers)
        return self._kill(pid, f"worker of {service}")

    def strike_gateway(self) -> str:
        """Kill the gateway."""
        return self._kill(self._watch.of_role("gateway"), "gateway")

    def _kill(self, pid: int | None, what: str) -> str:
        if pid is None:
            return ""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.killed[what] += 1
        return what

    def _workers(self) -> list[tuple[str, int]]:
        """Service and process of each replica; none while there is no control process to ask."""
        with suppress(OSError, http.client.HTTPException, ValueError):
            with closing(http.client.HTTPConnection(self._control, timeout=5)) as connection:
                connection.request("GET", _PODS)
                items = json.loads(connection.getresponse().read())["items"]
            found = [
                (pod["metadata"]["labels"].get("fairlead.dev/service", ""), _pid(pod))
                for pod in items
                if pod.get("status", {}).get("phase") == "Running"
            ]
            return [(service, pid) for service, pid in found if pid]
        return []


def _pid(pod: dict[str, dict[str, dict[str, str]]]) -> int:
    return int(pod["metadata"].get("annotations", {}).get("fairlead.dev/pid", "0"))
