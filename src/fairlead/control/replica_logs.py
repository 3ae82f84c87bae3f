"""What replicas printed, from the files their back-end keeps, for the API's pod logs."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from fairlead.backends.local.logs import LogLine, read_log
from fairlead.control.api.kinds import POD
from fairlead.control.api.pod_logs import LogQuery
from fairlead.control.store import Store
from fairlead.errors import FairleadError, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaLogs:
    """Logs lie in `folder` as `<namespace>/<replica>.log`. One file holds what all containers of a replica wrote."""

    store: Store
    folder: Path

    async def log(self, namespace: str, name: str, query: LogQuery) -> AsyncGenerator[bytes, None]:
        """The lines that were asked for. Raises `NotFound` when the replica has written nothing that is kept."""
        path = self.folder / namespace / f"{name}.log"
        if not path.exists():
            raise NotFound(f'no log of pod "{name}" is kept in namespace "{namespace}"')
        lines = read_log(
            path,
            tail_lines=query.tail_lines,
            since=query.since.timestamp() if query.since else None,
            follow=query.follow,
            is_finished=lambda: not self._lives(namespace, name),
        )
        return _rendered(lines, with_time=query.timestamps)

    def _lives(self, namespace: str, name: str) -> bool:
        try:
            pod = self.store.peek(POD, namespace, name)
        except FairleadError:
            return False
        return pod["status"].get("phase") not in ("Failed", "Succeeded")


async def _rendered(lines: AsyncIterator[LogLine], *, with_time: bool) -> AsyncGenerator[bytes, None]:
    async for line in lines:
        yield (line.time.encode() + b" " + line.text if with_time else line.text) + b"\n"
