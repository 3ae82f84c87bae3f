"""Units that are another program: which ports it gets, and how it is told.

The program finds its ports in the variables of its manifest's contract, or on its command line: every variable named
`…_PORT` and every flag `--…port` that repeats one of the unit's nominal ports gets the real one. A dialect decides what
they are called.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairlead.backends.local.ports import LOOPBACK, Ports
from fairlead.backends.local.rpc import Program
from fairlead.backends.local.upstreams import with_upstream
from fairlead.plan.model import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPorts:
    """Real ports of one unit; 0 for those it has not."""

    http: int = 0
    grpc: int = 0
    metrics: int = 0

    @property
    def address(self) -> str:
        """Where the unit is called: HTTP when it has that."""
        return f"{LOOPBACK}:{self.http or self.grpc}"

    @property
    def grpc_address(self) -> str:
        """Where it is called over gRPC; empty when it has no port for that."""
        return f"{LOOPBACK}:{self.grpc}" if self.grpc else ""


def take_ports(unit: Unit, ports: Ports) -> UnitPorts:
    """A real port for each nominal one. A unit that names none gets one for HTTP."""
    return UnitPorts(
        http=ports.take() if unit.http_port or not unit.grpc_port else 0,
        grpc=ports.take() if unit.grpc_port else 0,
        metrics=ports.take() if unit.metrics_port else 0,
    )


def with_real_ports(env: Mapping[str, str], unit: Unit, real: UnitPorts) -> dict[str, str]:
    """The environment with nominal ports replaced."""
    nominal = _by_nominal(unit, real)
    return {
        name: nominal.get(value, value) if name == "PORT" or name.endswith("_PORT") else value
        for name, value in env.items()
    }


def with_port_flags(words: Sequence[str], unit: Unit, real: UnitPorts) -> tuple[str, ...]:
    """A command line with nominal ports replaced in flags whose names end with `port`."""
    nominal = _by_nominal(unit, real)
    told: list[str] = []
    for word in words:
        flag, equals, value = word.partition("=")
        if equals and _is_port_flag(flag):
            told.append(f"{flag}={nominal.get(value, value)}")
        elif told and _is_port_flag(told[-1]):
            told.append(nominal.get(word, word))
        else:
            told.append(word)
    return tuple(told)


def _by_nominal(unit: Unit, real: UnitPorts) -> dict[str, str]:
    pairs = ((unit.metrics_port, real.metrics), (unit.grpc_port, real.grpc), (unit.http_port, real.http))
    return {str(number): str(port) for number, port in pairs if number and port}


def _is_port_flag(word: str) -> bool:
    return word.startswith("--") and word.lower().endswith("port")


def program_of(unit: Unit, *, env: Mapping[str, str], real: UnitPorts, workdir: Path, data_url: str = "") -> Program:
    """How to run a `command` unit. `data_url` is where it finds other services of ours."""
    told = with_real_ports(env, unit, real)
    words = with_port_flags(unit.command, unit, real)
    if words == unit.command and not any(value == str(real.http or real.grpc) for value in told.values()):
        told["PORT"] = str(real.http or real.grpc)
    return Program(
        unit=unit.name,
        argv=list(with_upstream(words, unit, data_url)),
        env=told,
        cwd=unit.code.path if unit.code is not None and unit.code.path else str(workdir),
        address=real.address,
        answers_http=bool(real.http),
    )
