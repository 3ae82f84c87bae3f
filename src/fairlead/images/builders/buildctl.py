"""BuildKit by its own client, with a daemon that runs already or, in a pod, with one that is there for one build. It
keeps no images where this machine could run them, so what it makes is pushed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.images.builders.base import Order, Say
from fairlead.images.builders.running import build_with, pairs, program_for, save_with
from fairlead.images.builders.scratch import Scratch, scratch
from fairlead.images.failures import BuildFailed
from fairlead.storage.oci.reference import parse

_PASSED = ("HOME", "PATH", "TMPDIR", "USER", "XDG_RUNTIME_DIR", "LANG")
DAEMONLESS = "buildctl-daemonless.sh"
"""BuildKit's own script, in its images: https://github.com/moby/buildkit#daemonless"""
_DIGEST = "containerimage.digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buildctl:
    """`environ` says where the daemon listens (`BUILDKIT_HOST`), or with which flags one is started
    (`BUILDKITD_FLAGS`)."""

    environ: Mapping[str, str] = field(repr=False)
    program: str = "buildctl"
    name: str = "BuildKit"
    keeps_secrets: bool = True

    async def build(self, order: Order, say: Say) -> str:
        """See `Builder`."""
        if not order.is_pushed:
            raise BuildFailed(
                f"{order.image}: BuildKit keeps no images on this machine; push it, or use another builder"
            )
        insecure = ",registry.insecure=true" if order.access.is_plain(parse(order.image)) else ""
        output = f"type=image,name={order.image},push=true,rewrite-timestamp=true{insecure}"
        with scratch() as own:
            program = program_for(order, self._env(order, own))
            await build_with(program, self.build_command(order, own, output), order, say)
            try:
                return str(json.loads(own.id_file.read_text()).get(_DIGEST, ""))
            except (OSError, ValueError):
                return ""

    async def save(self, order: Order, archive: Path, say: Say) -> None:
        """See `Builder`."""
        with scratch() as own:
            argv = self.build_command(order, own, f"type=oci,dest={archive},rewrite-timestamp=true")
            await save_with(program_for(order, self._env(order, own)), argv, order, say)

    def build_command(self, order: Order, own: Scratch, output: str) -> list[str]:
        """What makes the image."""
        file = order.dockerfile
        argv = [self.program, "build", "--progress", "plain", "--frontend", "dockerfile.v0"]
        argv += ["--local", f"context={order.context}", "--local", f"dockerfile={file.parent}"]
        argv += ["--opt", f"filename={file.name}", "--opt", f"build-arg:SOURCE_DATE_EPOCH={order.epoch}"]
        argv += pairs("--opt", {f"build-arg:{name}": value for name, value in order.build_args.items()})
        argv += pairs("--opt", {f"label:{name}": value for name, value in order.labels.items()})
        argv += ["--opt", f"platform={order.platform}"] if order.platform else []
        argv += [word for id_, path in sorted(order.secrets.items()) for word in ("--secret", f"id={id_},src={path}")]
        argv += ["--no-cache"] if order.is_fresh else []
        return [*argv, "--output", output, "--metadata-file", str(own.id_file)]

    def _env(self, order: Order, own: Scratch) -> dict[str, str]:
        kept = {name: value for name, value in self.environ.items() if name in _PASSED or name.startswith("BUILDKIT")}
        return kept | {"DOCKER_CONFIG": str(own.docker_config(order.access))}
