"""How a surface writes down its routes."""

from collections.abc import Callable

from fairlead.protocols.exchange import Reply, Request

Route = Callable[[Request, Reply], None]
Verbs = dict[str, Route]
Routes = dict[str, Verbs]

ANY = "*"
"""The verb of a route that takes them all."""
