"""`python -m fairlead.dataplane --spec FILE [--channel-fd N]`: one worker in a fresh interpreter."""

import argparse
import logging
import os
import socket
import sys
from pathlib import Path

import msgspec

from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.worker import main


def run(arguments: list[str]) -> int:
    """Read the spec and be that worker."""
    parser = argparse.ArgumentParser(prog="python -m fairlead.dataplane", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="the worker's spec, as JSON")
    parser.add_argument("--channel-fd", type=int, help="file descriptor of the socket to the supervisor")
    options = parser.parse_args(arguments)
    level = os.environ.get("SELDON_LOG_LEVEL", "INFO").upper()
    known = level if level in logging.getLevelNamesMapping() else "INFO"
    logging.basicConfig(level=known, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        spec = msgspec.json.decode(options.spec.read_bytes(), type=WorkerSpec)
    except (OSError, msgspec.DecodeError) as error:
        parser.error(f"--spec {options.spec}: {error}")
    channel = socket.socket(fileno=options.channel_fd) if options.channel_fd is not None else None
    return main(spec, channel)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
