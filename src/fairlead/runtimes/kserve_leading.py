"""The way from models of KServe's own package to services of this machine.

Models of the SDK get their clients from its factory, for a host name that only a cluster resolves. Where the package is
installed in a model's environment, clients for such a host go through the socket at which our services answer to their
names; clients for any other host stay as they are. Clients are made on the event loop that their model's hooks run on,
and belong to it, so every model gets its own.
"""

import importlib
from typing import Any

_sockets: dict[str, str] = {}
_led: set[type] = set()


def lead(host: str, socket: str) -> None:
    """Have this process ask `host` at the socket."""
    _sockets[host] = socket
    factory: type = importlib.import_module("kserve.utils.inference_client_factory").InferenceClientFactory
    if factory not in _led:
        _led.add(factory)
        _replace(factory)


def _replace(factory: Any) -> None:
    clients = importlib.import_module("kserve.inference_client")

    def get_rest_client(_self: Any, config: Any = None) -> Any:
        config = config if config is not None else clients.RESTConfig()
        if config.transport is None:
            config.transport = _transport(config)
        return clients.InferenceRESTClient(config)

    def get_grpc_client(_self: Any, url: str, **given: Any) -> Any:
        socket = _sockets.get(url)
        if socket is None:
            return clients.InferenceGRPCClient(url, **given)
        lengths = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        given |= {"use_ssl": False, "channel_args": [("grpc.default_authority", url), *lengths]}
        return clients.InferenceGRPCClient(f"unix:{socket}", **given)

    factory.get_rest_client = get_rest_client
    factory.get_grpc_client = get_grpc_client


def _transport(config: Any) -> Any:
    """Of one client: by the host of each request, through a socket or over the network."""
    httpx = importlib.import_module("httpx")
    network = httpx.AsyncHTTPTransport(
        retries=config.retries, http2=config.http2, cert=config.cert, verify=config.verify
    )
    inside = {path: httpx.AsyncHTTPTransport(uds=path, retries=config.retries) for path in set(_sockets.values())}

    class Led(httpx.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            path = _sockets.get(request.url.netloc.decode())
            return await (network if path is None else inside[path]).handle_async_request(request)

        async def aclose(self) -> None:
            for one in (network, *inside.values()):
                await one.aclose()

    return Led()
