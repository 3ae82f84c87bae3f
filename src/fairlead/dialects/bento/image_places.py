"""Where images of bentos go when a request does not name one: the installation's registry, under Yatai's names.

Pushes may go by another address than pulls, as when a registry has one name inside of a cluster and one outside.
"""

from dataclasses import dataclass

from fairlead.dialects.bento.names import IMAGE_REPOSITORY

HUB = "docker.io"
_HUB_HOSTS = frozenset((HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlace:
    """A registry as an installation names it: `server` is its host, with a port and with a path if it has one."""

    server: str
    in_cluster_server: str = ""
    repository: str = IMAGE_REPOSITORY


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """`name` is what others are told, `pushed_as` where it is sent."""

    name: str
    pushed_as: str


def image_of(image_tag: str, place: ImagePlace) -> ImageName:
    """The image of a bento, whose tag `names.image_tag` makes."""
    path = f"{place.repository.strip('/')}:{image_tag}"
    name = f"{host_of(place.server)}/{path}"
    inside = place.in_cluster_server
    return ImageName(name=name, pushed_as=f"{host_of(inside)}/{path}" if inside else name)


def host_of(server: str) -> str:
    """A registry's host as image names have it: without scheme and slash, and Docker Hub under its short name."""
    plain = server.strip().removeprefix("https://").removeprefix("http://").rstrip("/")
    plain = plain.removesuffix("/v1").removesuffix("/v2")
    host, slash, path = plain.partition("/")
    return f"{HUB if host.lower() in _HUB_HOSTS else host}{slash}{path}"
