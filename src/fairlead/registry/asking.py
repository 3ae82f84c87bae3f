"""Who asks a service: a caller, whose role and scopes are looked at, or an organization: the registry itself."""

from fairlead.registry.callers import Caller, Organization, Verb

Asker = Caller | Organization


def organization_of(asker: Asker) -> str:
    """The uid of the organization in which is asked."""
    return asker.organization.uid if isinstance(asker, Caller) else asker.uid


def require(asker: Asker, verb: Verb, resource_type: str, name: str = "") -> str:
    """The organization's uid. Raises Forbidden for a caller who may not."""
    if isinstance(asker, Caller):
        asker.require(verb, resource_type, name)
    return organization_of(asker)
