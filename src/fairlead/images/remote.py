"""What a registry has: whether an image has to be made at all, and the digest of what was pushed."""

from fairlead.errors import StorageError
from fairlead.images.access import Access
from fairlead.storage.asking import Client, Trust
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.oci.client import Registry
from fairlead.storage.oci.reference import parse


def digest_of(image: str, access: Access, *, timeout_s: float = 30.0) -> str:
    """The digest of an image in its registry; empty when it is not there. Blocks. Raises StorageError when the registry
    refuses, and StorageUnavailable when it does not answer."""
    reference = parse(image)
    login = access.login(reference)
    client = Client(
        name=str(reference),
        timeouts=Timeouts(connect_s=timeout_s, read_s=timeout_s),
        allow=lambda _: None,
        secrets=login.secrets,
        trust=Trust(ca_pem=access.ca_pem),
    )
    registry = Registry(reference=reference, client=client, login=login, is_plain=access.is_plain(reference))
    try:
        return registry.digest(reference.version)
    except StorageError as error:
        helper = access.helper(reference)
        if not helper:
            raise
        raise StorageError(
            f"{error}; its login is kept by {helper}, a program that Fairlead does not run: put the login itself into "
            "config.json (`auths`) or DOCKER_AUTH_CONFIG"
        ) from error
