"""The way from a unit's own code to another service of ours, for code that finds it by an argument.

Code in a worker of ours asks at the gateway's inside socket. A program and a container know only addresses, so they get
the path of the service at the gateway's data port in place of the host name that a cluster would resolve. gRPC has no
paths before its methods: a program that asks over gRPC gets the name below `localhost`, which gRPC's own resolver takes
for this machine and sends as the authority.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from fairlead.plan.model import Unit

FROM_CONTAINERS = "host.docker.internal"
"""What engines call the machine that they run on."""
_HOST_FLAG, _TLS_FLAG = "--predictor_host", "--predictor_use_ssl"
_GRPC = "grpc-v2"
_CLUSTER = ("svc", "cluster", "local")


def with_upstream(arguments: Sequence[str], unit: Unit, data_url: str, *, host: str = "") -> tuple[str, ...]:
    """Arguments of a program with a real address for its upstream. `host` is what the program has to call this machine,
    where that is not the gateway's own address. They stay what they are when the upstream is none of ours."""
    path = path_inside(unit.upstream.host) if unit.upstream is not None and unit.upstream.is_inside else ""
    where = urlsplit(data_url)
    if not path or not where.netloc:
        return tuple(arguments)
    shown = f"{host}:{where.port}" if host else where.netloc
    address = f"{shown}{path}"
    if unit.upstream is not None and unit.upstream.protocol == _GRPC and not host:
        _, _, namespace, name = path.split("/")
        address = f"{name}.{namespace}.localhost:{where.port}"
    replaced = tuple(_replaced(arguments, address))
    return (*replaced, f"{_TLS_FLAG}=true") if where.scheme == "https" and replaced != tuple(arguments) else replaced


def path_inside(host: str) -> str:
    """The path of a service by its name in a cluster (`name.namespace`, with or without `.svc.cluster.local`), empty
    for any other host."""
    name, _, port = host.partition(":")
    labels = name.removesuffix(".").split(".")
    rest = tuple(labels[2:])
    is_address = labels[-1].isdigit()
    if len(labels) < 2 or not all(labels) or is_address or rest != _CLUSTER[: len(rest)] or port not in ("", "80"):
        return ""
    return f"/serving/{labels[1]}/{labels[0]}"


def _replaced(arguments: Sequence[str], address: str) -> Iterator[str]:
    is_next = False
    for argument in arguments:
        flag, equals, _ = argument.partition("=")
        if is_next:
            yield address
        elif flag == _HOST_FLAG and equals:
            yield f"{flag}={address}"
        else:
            yield argument
        is_next = argument == _HOST_FLAG
