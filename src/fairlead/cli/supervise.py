"""The process that `up` starts: the supervisor and nothing else, since it must stay small and have one thread.

It is told what to run in one line of JSON on its standard input (not on its command line, which everybody can
read). Unless detached, the end of that input means that whoever started it is gone, and it stops in order.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from fairlead.backends.local.home import Home
from fairlead.backends.local.supervisor import HomeInUse, SupervisorConfig, run_supervisor

EXIT_HOME_IN_USE = 75


def main() -> int:
    order = json.loads(sys.stdin.buffer.readline())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # For the gateway and every worker; what the environment says already wins.
    os.environ.update({name: value for name, value in order["observation"].items() if name not in os.environ})
    config = SupervisorConfig(
        home=Home(Path(order["home"])),
        control_argv=tuple(order["control"]),
        gateway_argv=tuple(order["gateway"]),
        env=order["env"],
        instance=order["instance"],
        log_max_bytes=order["log_max_bytes"],
        log_keep=order["log_files"],
    )
    try:
        return asyncio.run(_supervise(config, is_detached=order["is_detached"]))
    except HomeInUse as problem:
        sys.stderr.write(f"{problem}\n")
        return EXIT_HOME_IN_USE


async def _supervise(config: SupervisorConfig, *, is_detached: bool) -> int:
    if not is_detached:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_when_alone)
    return await run_supervisor(config)


def _stop_when_alone() -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
