"""Runs the containers of one unit with Docker or Podman, as a process of a replica.

It reads what to do from its channel, reports in a worker's frames, and writes the containers' output to its own. The
end of the channel or of the process takes the container away; what a killed runner left behind is removed by the
next one, and when the back-end starts.

    FAIRLEAD_CHANNEL_FD=5 python -m fairlead.backends.local.container_runner
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fairlead.backends.local import containers, processes
from fairlead.backends.local.containers import ContainerRun, Step, Volume
from fairlead.backends.local.rpc import encode, read_frame
from fairlead.dataplane.spec import Failed, FromWorker, Loading, Ready

ENGINES = ("docker", "podman")
_PROBE_S = 5.0
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine that answers, by its command."""

    command: str

    async def call(self, *arguments: str, timeout_s: float = 30.0) -> tuple[int, str]:
        """Run to the end; its status and what it wrote. Whoever stops waiting ends the command."""
        process = await asyncio.create_subprocess_exec(
            self.command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(timeout_s):
                output, _ = await process.communicate()
        except TimeoutError:
            return 124, f"{self.command} {arguments[0]} did not answer within {timeout_s:g} seconds"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, output.decode("utf-8", "replace").strip()


async def find_engine(candidates: Sequence[str] = ENGINES) -> Engine | None:
    """The first engine that answers."""
    for command in candidates:
        if shutil.which(command) is None:
            continue
        engine = Engine(command)
        # Docker's `info` succeeds without a daemon in some versions, its `version` never does; Podman may have none.
        question = ("version", "--format", "{{.Server.Version}}") if command == "docker" else ("info",)
        status, _ = await engine.call(*question, timeout_s=_PROBE_S)
        if status == 0:
            return engine
    return None


async def sweep(engine: Engine, home: str) -> int:
    """Remove containers of this installation whose runner is gone. How many."""
    mark = f"label={containers.HOME_LABEL}={home}"
    template = f'{{{{.ID}}}} {{{{.Label "{containers.RUNNER_LABEL}"}}}}'
    status, output = await engine.call("ps", "--all", "--filter", mark, "--format", template)
    if status != 0:
        return 0
    doomed = [line.split()[0] for line in output.splitlines() if line.strip() and not _has_runner(line)]
    if doomed:
        await engine.call("rm", "--force", "--volumes", *doomed)
    return len(doomed)


class CannotRun(Exception):
    """A step failed for a reason that is worth a frame."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Runner:
    """One unit's containers, from the first init container to the end of the main one."""

    def __init__(self, run: ContainerRun, engine: Engine, writer: asyncio.StreamWriter) -> None:
        self._run, self._engine, self._writer = run, engine, writer
        self._name = ""
        self._is_stopping = False

    async def run(self) -> int:
        """The exit status of the main container."""
        run = self._run
        await sweep(self._engine, run.home)
        self.say(Loading(unit=run.unit))
        for step in (*run.inits, run.main):
            await self._have_image(step.image)
        for step in run.inits:
            status = await self._step(step)
            if status != 0 and not self._is_stopping:
                raise CannotRun("InitContainerFailed", f"init container {step.name} exited with code {status}")
            if self._is_stopping:
                return 0
        return await self._step(run.main)

    def say(self, message: FromWorker) -> None:
        """One frame to the supervisor."""
        self._writer.write(encode(message))

    async def stop(self) -> bool:
        """Ask the container that runs to end. Whether there is one."""
        self._is_stopping = True
        if self._name:
            await self._engine.call("kill", "--signal", "TERM", self._name)
        return bool(self._name)

    async def remove(self) -> None:
        """Take the container away, running or not."""
        self._is_stopping = True
        if self._name:
            await self._engine.call("rm", "--force", "--volumes", self._name)

    async def _have_image(self, image: str) -> None:
        status, _ = await self._engine.call("image", "inspect", "--format", "{{.Id}}", image)
        if status == 0:
            return
        print(f"fairlead: pulling {image}", flush=True)
        status, output = await self._engine.call("pull", "--quiet", image, timeout_s=3600.0)
        if status != 0:
            last = output.splitlines()[-1] if output else f"status {status}"
            raise CannotRun("ImagePullFailed", f"image {image} cannot be pulled: {last[:_LONGEST_REASON]}")

    async def _step(self, step: Step) -> int:
        """Run one container in the foreground and remove it. Its output is ours."""
        name = f"fairlead-{self._run.replica}-{step.name}-{os.getpid()}"
        labels = {
            containers.HOME_LABEL: self._run.home,
            containers.RUNNER_LABEL: f"{os.getpid()}.{processes.start_mark(os.getpid())}",
            containers.REPLICA_LABEL: self._run.replica,
            containers.UNIT_LABEL: self._run.unit,
        }
        folders = {volume.target: _folder(Path(self._run.workdir), step, volume) for volume in step.volumes}
        arguments = containers.run_arguments(self._run, step, folders, name=name, labels=labels)
        env = os.environ | {key: value for key, value in step.env.items() if not containers.steers_engine(key)}
        process = await asyncio.create_subprocess_exec(
            self._engine.command, *arguments, stdin=asyncio.subprocess.DEVNULL, env=env
        )
        self._name = name
        if step is self._run.main:
            self.say(Ready())
        try:
            status = await process.wait()
            if not self._is_stopping:
                await self._explain(step, name, status)
            return status
        finally:
            await self._engine.call("rm", "--force", "--volumes", name)
            self._name = ""

    async def _explain(self, step: Step, name: str, status: int) -> None:
        """Ends that have a better reason than their status."""
        _, killed = await self._engine.call("inspect", "--format", "{{.State.OOMKilled}}", name)
        if killed == "true":
            limit = self._run.memory_bytes
            allowed = f" ({limit} bytes)" if limit else ""
            raise CannotRun("OOMKilled", f"container {step.image} used more memory than its limit{allowed}")
        if status == 127 and step.command:
            raise CannotRun("StartError", f"container {step.image} has no program {step.command[0]}")


def _folder(workdir: Path, step: Step, volume: Volume) -> Path:
    """The host's folder of a volume, made when it is ours to make. The workdir is closed to other users, so what is
    in it may be open to whatever user the image runs as."""
    if volume.source:
        return _below(Path(volume.source), volume.sub_path)
    if volume.scratch:
        folder = workdir / "volumes" / volume.scratch
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        return _below(folder, volume.sub_path)
    folder = workdir / "files" / step.name / volume.target.strip("/").replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    for key, value in volume.files.items():
        path = folder / Path(key).name
        path.write_bytes(value)
        path.chmod(0o444)
    return _below(folder, volume.sub_path)


def _below(folder: Path, sub_path: str) -> Path:
    if not sub_path:
        return folder
    found = (folder / sub_path).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise CannotRun("StartError", f"subPath {sub_path!r} leaves its volume")
    return found


def _has_runner(line: str) -> bool:
    _, _, runner = line.partition(" ")
    pid, _, mark = runner.strip().partition(".")
    return pid.isdigit() and processes.is_alive(int(pid)) and processes.start_mark(int(pid)) == mark


async def _serve(channel: socket.socket) -> int:
    channel.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=channel)
    body = await read_frame(reader)
    if body is None:
        return 0
    run = msgspec.json.decode(body, type=ContainerRun)
    Path(run.workdir).mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = await find_engine()
    if engine is None:
        failure = Failed(
            unit=run.unit, reason="NoContainerEngine", message=containers.no_engine_message(run.main.image)
        )
        return await _fail(writer, failure)
    runner = Runner(run, engine, writer)
    work = asyncio.create_task(runner.run())
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    try:
        async with asyncio.TaskGroup() as group:
            wishes = [
                group.create_task(_when_told(stop, runner, work)),
                group.create_task(_at_end(reader, runner, work)),
            ]
            await asyncio.wait([work])
            for wish in wishes:
                wish.cancel()
        return 0 if work.cancelled() else work.result()
    except CannotRun as error:
        return await _fail(writer, Failed(unit=run.unit, reason=error.reason, message=str(error)))


async def _when_told(stop: asyncio.Event, runner: Runner, work: asyncio.Task[int]) -> None:
    await stop.wait()
    if not await runner.stop():
        work.cancel()


async def _at_end(reader: asyncio.StreamReader, runner: Runner, work: asyncio.Task[int]) -> None:
    """The supervisor is gone or impatient."""
    await reader.read()
    await runner.remove()
    await asyncio.wait([work], timeout=2.0)
    work.cancel()


async def _fail(writer: asyncio.StreamWriter, failure: Failed) -> int:
    print(f"fairlead: {failure.message}", file=sys.stderr, flush=True)
    with contextlib.suppress(ConnectionError):
        writer.write(encode(failure))
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    return 1


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return asyncio.run(_serve(socket.socket(fileno=int(environ["FAIRLEAD_CHANNEL_FD"]))))


if __name__ == "__main__":
    raise SystemExit(main())
