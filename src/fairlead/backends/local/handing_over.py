"""The services as the gateway should have them, and as it has said that it has them.

Changes are many while a thousand services are applied or wake up, and each concerns one: everything here costs what
differs, and not what there is.
"""

from fairlead.plan.routing import RouteTable, Service, amended, difference


class HandedOver:
    """Services are known by the keys of their plans."""

    def __init__(self) -> None:
        self._services: dict[str, Service] = {}
        self._acked: dict[str, Service] = {}
        self._confirmed: RouteTable | None = None
        self.table = RouteTable()
        """What the gateway should have, in an order that does not depend on when things were applied."""

    def put(self, service: Service) -> None:
        """It should have this."""
        key = _key(service)
        if self._services.get(key) != service:
            self._services[key] = service
            self.table = amended(self.table, changed=(service,))

    def drop(self, key: str) -> None:
        """It should have this no more."""
        service = self._services.pop(key, None)
        if service is not None:
            self.table = amended(self.table, gone=(service.identity,))

    def confirm(self, table: RouteTable) -> set[str]:
        """It has this table. Gives the keys of what it had otherwise before."""
        changed, gone = difference(self._confirmed or RouteTable(), table)
        self._confirmed = table
        for service in gone:
            del self._acked[_key(service)]
        self._acked |= {_key(service): service for service in changed}
        return {_key(service) for service in (*changed, *gone)}

    @property
    def is_known(self) -> bool:
        """Whether it has confirmed anything."""
        return self._confirmed is not None

    def has(self, service: Service) -> bool:
        """Whether it has the service as it is here."""
        return self._acked.get(_key(service)) == service

    def replicas(self, key: str) -> frozenset[str] | None:
        """The replicas of a service that it may send requests to; `None` while nothing is known."""
        if self._confirmed is None:
            return None
        service = self._acked.get(key)
        return service.replicas if service is not None else frozenset()


def _key(service: Service) -> str:
    return "/".join(service.identity)
