"""Makes one image: unless its registry has it, with the builder that is here, from a folder laid out for it alone."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.images.access import Access
from fairlead.images.builders.base import Builder, Order, Say
from fairlead.images.builders.detecting import find_builder
from fairlead.images.contexts.context import Context
from fairlead.images.contexts.staging import settle
from fairlead.images.failures import BuildFailed, BuildTimedOut
from fairlead.images.remote import digest_of
from fairlead.plan.bentos import ImageState
from fairlead.storage.oci.reference import parse

LayOut = Callable[[Path], Context]
"""Fills an empty folder, in a thread; what it raises is the build's failure."""
Tell = Callable[[ImageState], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An image that somebody wants. `builder` is the one to use, any if empty; `epoch` is the time of everything in
    it."""

    image: str
    access: Access = field(default_factory=Access)
    builder: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    network: str = ""
    is_pushed: bool = False
    is_forced: bool = False
    """Made although its registry has one of that name."""
    is_fresh: bool = False
    archive: Path | None = None
    """Where the image is written as well, for whoever looks into it."""
    timeout_s: float | None = None
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """`digest` is the registry's of an image that is there, `id` the builder's of one that it made. `builder` is empty
    when nothing had to be made."""

    image: str
    digest: str = ""
    id: str = ""
    builder: str = ""


async def make(wanted: Wanted, lay_out: LayOut, *, environ: Mapping[str, str], say: Say, tell: Tell) -> Made:
    """Have this image. `say` gets the builder's lines, `tell` how far it is. Cancelling ends the builder. Raises
    `NoBuilder`, `BuildFailed`, `PushFailed`, `BuildTimedOut`, or what the registry says."""
    try:
        async with asyncio.timeout(wanted.timeout_s):
            return await _make(wanted, lay_out, environ=environ, say=say, tell=tell)
    except TimeoutError as error:
        raise BuildTimedOut(f"{wanted.image} was not made within {wanted.timeout_s:g} s") from error


async def _make(wanted: Wanted, lay_out: LayOut, *, environ: Mapping[str, str], say: Say, tell: Tell) -> Made:
    parse(wanted.image)
    if wanted.is_pushed:
        tell(ImageState.CHECKING)
        digest = await asyncio.to_thread(digest_of, wanted.image, wanted.access)
        if digest and not wanted.is_forced:
            tell(ImageState.PRESENT)
            return Made(image=wanted.image, digest=digest)
        tell(ImageState.ABSENT)
    builder = await find_builder(environ, wanted=wanted.builder, is_pushed=wanted.is_pushed)
    tell(ImageState.BUILDING)
    with tempfile.TemporaryDirectory(prefix="fairlead-image-") as folder:
        order = await asyncio.to_thread(_order, wanted, lay_out, Path(folder))
        _refuse_lost_secrets(builder, order)
        made = await builder.build(order, say)
        if wanted.archive is not None:
            await builder.save(order, wanted.archive, say)
    digest = await asyncio.to_thread(digest_of, wanted.image, wanted.access) if wanted.is_pushed else ""
    tell(ImageState.PRESENT)
    return Made(image=wanted.image, digest=digest, id=made, builder=builder.name)


def _order(wanted: Wanted, lay_out: LayOut, folder: Path) -> Order:
    """The context on disk, and the secrets in a folder beside it."""
    context = lay_out(folder / "context")
    settle(context.folder, wanted.epoch)
    secrets = dict(wanted.secrets)
    for id_, text in context.files.items():
        secrets[id_] = folder / id_
        secrets[id_].write_text(text)
        secrets[id_].chmod(0o600)
    return Order(
        image=wanted.image,
        context=context.folder,
        dockerfile=context.dockerfile,
        build_args={**context.build_args, **wanted.build_args},
        secrets=secrets,
        labels=wanted.labels,
        access=wanted.access,
        platform=wanted.platform,
        network=wanted.network,
        is_pushed=wanted.is_pushed,
        is_fresh=wanted.is_fresh,
        epoch=wanted.epoch,
    )


def _refuse_lost_secrets(builder: Builder, order: Order) -> None:
    if order.secrets and not builder.keeps_secrets:
        raise BuildFailed(
            f"{order.image}: {builder.name} cannot keep secrets ({', '.join(sorted(order.secrets))}) out of layers; "
            "use buildah, or Docker with Buildx"
        )
