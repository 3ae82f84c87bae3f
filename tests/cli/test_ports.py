"""Ports are checked before anything starts."""

import socket

import pytest

from fairlead.cli.ports import PortInUse, settle


def test_a_port_in_use_is_named_with_its_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        expected = f"port {port} on .* is in use.*another with --control-port or FAIRLEAD_CONTROL_PORT"
        with pytest.raises(PortInUse, match=expected):
            settle("127.0.0.1", {"--port": 0, "--control-port": port})


def test_zero_becomes_different_free_ports() -> None:
    ports = settle("127.0.0.1", {"--port": 0, "--grpc-port": 0, "--control-port": 0})

    assert len(set(ports.values())) == 3
    assert all(port > 0 for port in ports.values())
