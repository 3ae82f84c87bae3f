"""buildah: no daemon, and with chroot isolation no rights that a user does not have. Equal orders give equal images."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.images.builders.base import Order, Say
from fairlead.images.builders.running import build_with, pairs, program_for, push_with, save_with, written
from fairlead.images.builders.scratch import Scratch, scratch
from fairlead.storage.oci.reference import parse

_PASSED = ("HOME", "PATH", "TMPDIR", "USER", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "LANG")
_ISOLATION = "BUILDAH_ISOLATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buildah:
    """`environ` says where it keeps images (`CONTAINERS_STORAGE_CONF`, `STORAGE_*`), proxies and the isolation."""

    environ: Mapping[str, str] = field(repr=False)
    name: str = "buildah"
    keeps_secrets: bool = True

    async def build(self, order: Order, say: Say) -> str:
        """See `Builder`."""
        program = program_for(order, self._env)
        with scratch() as own:
            await build_with(program, self.build_command(order, own), order, say)
            if order.is_pushed:
                await push_with(program, self.push_command(order, own), order, say)
            return written(own.id_file)

    async def save(self, order: Order, archive: Path, say: Say) -> None:
        """See `Builder`."""
        argv = ["buildah", "push", "--quiet", order.image, f"oci-archive:{archive}"]
        await save_with(program_for(order, self._env), argv, order, say)

    def build_command(self, order: Order, own: Scratch) -> list[str]:
        """What makes the image."""
        argv = ["buildah", "build", "--isolation", self.environ.get(_ISOLATION, "chroot"), "--format", "oci"]
        # A layer for each step, so that equal steps are equal layers; and every time in the image the same.
        argv += ["--layers", *(["--no-cache"] if order.is_fresh else [])]
        argv += ["--timestamp", str(order.epoch), "--iidfile", str(own.id_file), *self._access(order, own)]
        argv += [*pairs("--build-arg", order.build_args), *pairs("--label", order.labels)]
        argv += [word for id_, path in sorted(order.secrets.items()) for word in ("--secret", f"id={id_},src={path}")]
        argv += ["--platform", order.platform] if order.platform else []
        return [*argv, "--file", str(order.dockerfile), "--tag", order.image, str(order.context)]

    def push_command(self, order: Order, own: Scratch) -> list[str]:
        """What sends it."""
        return ["buildah", "push", *self._access(order, own), order.image, f"docker://{order.image}"]

    def _access(self, order: Order, own: Scratch) -> list[str]:
        words = ["--authfile", str(own.auth_file(order.access))] if order.access.config else []
        if order.access.ca_pem:
            words += ["--cert-dir", str(own.certificates(order.access))]
        if order.access.is_plain(parse(order.image)):
            words.append("--tls-verify=false")
        return words

    @property
    def _env(self) -> dict[str, str]:
        return {
            name: value
            for name, value in (self.environ or os.environ).items()
            if name in _PASSED
            or name.startswith(("CONTAINERS_", "STORAGE_", "BUILDAH_"))
            or name.lower().endswith("_proxy")
        }
