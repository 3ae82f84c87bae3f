from fairlead.backends.local.handing_over import HandedOver
from fairlead.plan.routing import Endpoint, Pool, RouteTable, Service


def service(name: str, *replicas: str) -> Service:
    endpoints = tuple(Endpoint(replica=replica, frames=f"{replica}.sock") for replica in replicas)
    return Service(kind="K", namespace="n", name=name, routes=(), pools=(("main", Pool(endpoints=endpoints)),))


def test_a_table_does_not_depend_on_the_order_of_applying() -> None:
    one, two = HandedOver(), HandedOver()
    for name in ("a", "b", "c"):
        one.put(service(name))
    for name in ("c", "a", "b"):
        two.put(service(name))

    assert one.table == two.table


def test_what_has_not_changed_makes_no_new_table() -> None:
    made = HandedOver()
    made.put(service("a"))
    before = made.table
    made.put(service("a"))
    made.drop("K/n/other")

    assert made.table is before


def test_who_gets_requests_is_not_known_before_the_gateway_has_said_so() -> None:
    made = HandedOver()
    made.put(service("a", "r"))
    assert not made.is_known
    assert made.replicas("K/n/a") is None
    assert not made.has(service("a", "r"))

    assert made.confirm(made.table) == {"K/n/a"}
    assert made.is_known
    assert made.replicas("K/n/a") == frozenset("r")
    assert made.replicas("K/n/b") == frozenset()
    assert made.has(service("a", "r"))
    assert not made.has(service("a"))


def test_only_what_the_gateway_had_otherwise_before_is_named() -> None:
    made = HandedOver()
    for name in ("a", "b", "c"):
        made.put(service(name, "r"))
    made.confirm(made.table)
    made.put(service("b", "s"))
    made.drop("K/n/c")
    made.put(service("d"))

    assert made.confirm(made.table) == {"K/n/b", "K/n/c", "K/n/d"}
    assert made.confirm(made.table) == set()
    assert made.replicas("K/n/b") == frozenset("s")
    assert made.replicas("K/n/c") == frozenset()


def test_a_gateway_that_has_nothing_has_no_replicas() -> None:
    made = HandedOver()

    assert made.confirm(RouteTable()) == set()
    assert made.replicas("K/n/a") == frozenset()
