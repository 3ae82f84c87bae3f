"""Docker's daemon, asked through its client: by its own builder, by the BuildKit inside of it, or by BuildKit elsewhere
that Buildx has set up. The client's contexts and `DOCKER_HOST` say which daemon."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from fairlead.images.builders.base import Order, Say
from fairlead.images.builders.running import build_with, pairs, program_for, push_with, save_with, written
from fairlead.images.builders.scratch import Scratch, scratch
from fairlead.storage.oci.reference import parse

_PASSED = ("HOME", "PATH", "TMPDIR", "USER", "XDG_RUNTIME_DIR", "LANG", "SSH_AUTH_SOCK")


class Way(StrEnum):
    """How the client builds."""

    CLASSIC = "docker"
    """Docker's own builder: no secrets, and times of the day."""
    INSIDE = "docker with BuildKit"
    """`DOCKER_BUILDKIT=1`, for clients before 23 that have no need of Buildx."""
    BUILDX = "docker buildx"
    """The daemon's own BuildKit, through Buildx."""
    ELSEWHERE = "docker buildx with a builder of its own"
    """A BuildKit that Buildx started: it writes every time in the image anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """`environ` says which daemon and which configuration."""

    way: Way
    environ: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """See `Builder`."""
        return str(self.way)

    @property
    def keeps_secrets(self) -> bool:
        """See `Builder`."""
        return self.way is not Way.CLASSIC

    async def build(self, order: Order, say: Say) -> str:
        """See `Builder`."""
        with scratch() as own:
            program = program_for(order, self._env(order, own))
            await build_with(program, self.build_command(order, own), order, say)
            if order.is_pushed and self.way is not Way.ELSEWHERE:
                await push_with(program, ["docker", "push", order.image], order, say)
            return written(own.id_file)

    async def save(self, order: Order, archive: Path, say: Say) -> None:
        """See `Builder`. What another BuildKit has made and pushed is not here; it is made again from its cache."""
        with scratch() as own:
            argv = ["docker", "save", "--output", str(archive), order.image]
            if self.way is Way.ELSEWHERE:
                argv = self.build_command(order, own, output=f"type=oci,dest={archive}")
            await save_with(program_for(order, self._env(order, own)), argv, order, say)

    def build_command(self, order: Order, own: Scratch, *, output: str = "") -> list[str]:
        """What makes the image."""
        has_buildx = self.way in (Way.BUILDX, Way.ELSEWHERE)
        argv = ["docker", "buildx", "build"] if has_buildx else ["docker", "build"]
        argv += ["--file", str(order.dockerfile), "--tag", order.image]
        argv += ["--iidfile", str(own.id_file)] if not output else []
        argv += ["--progress", "plain"] if self.way is not Way.CLASSIC else []
        # Attestations hold the time and the machine of the build.
        argv += ["--provenance=false"] if has_buildx else []
        argv += ["--output", output or self._output(order)] if self.way is Way.ELSEWHERE else []
        argv += ["--no-cache"] if order.is_fresh else []
        argv += ["--platform", order.platform] if order.platform else []
        argv += ["--network", order.network] if order.network else []
        argv += [*pairs("--build-arg", order.build_args), *pairs("--label", order.labels)]
        argv += [word for id_, path in sorted(order.secrets.items()) for word in ("--secret", f"id={id_},src={path}")]
        return [*argv, str(order.context)]

    def _output(self, order: Order) -> str:
        if not order.is_pushed:
            return f"type=docker,name={order.image},rewrite-timestamp=true"
        insecure = ",registry.insecure=true" if order.access.is_plain(parse(order.image)) else ""
        return f"type=image,name={order.image},push=true,rewrite-timestamp=true{insecure}"

    def _env(self, order: Order, own: Scratch) -> dict[str, str]:
        kept = {
            name: value
            for name, value in self.environ.items()
            if name in _PASSED or name.startswith(("DOCKER_", "BUILDX_")) or name.lower().endswith("_proxy")
        }
        kept["DOCKER_CONFIG"] = str(own.docker_config(order.access))
        kept["DOCKER_BUILDKIT"] = "0" if self.way is Way.CLASSIC else "1"
        kept["SOURCE_DATE_EPOCH"] = str(order.epoch)
        return kept
