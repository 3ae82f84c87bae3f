"""Run a Python program with every listening socket on loopback: `loopback.py MODULE:FUNCTION ARGS…` or
`loopback.py FILE ARGS…`. Two of the peers hard-code 0.0.0.0; a benchmark has no business on a network."""

import importlib
import runpy
import socket
import sys
from typing import Any

_bind = socket.socket.bind


def _bind_loopback(self: socket.socket, address: Any) -> None:
    if isinstance(address, tuple) and address[0] in ("0.0.0.0", "", "::"):
        address = ("127.0.0.1", *address[1:2])
    _bind(self, address)


socket.socket.bind = _bind_loopback  # type: ignore[method-assign, assignment]  # that is the point

target = sys.argv[1]
sys.argv = sys.argv[1:]
if target.endswith(".py"):
    runpy.run_path(target, run_name="__main__")
else:
    module, _, function = target.partition(":")
    getattr(importlib.import_module(module), function)()
