"""Uploads in any order, interrupted anywhere, against a model that knows only what was last pushed whole."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fairlead.errors import BadRequest, NotFound
from fairlead.registry.addresses import ROOT
from fairlead.registry.callers import Caller
from fairlead.registry.db.uploads import Upload
from fairlead.registry.service import GRACE_S, Registry
from fairlead.registry.upload_states import Happening, after
from fairlead.registry.values import Kind, NewVersion, UploadStatus, Version
from fairlead.storage.blobs.store import Part
from support.registries import Clock, add_caller, config

_T = TypeVar("_T")
CONTENTS = st.sampled_from([b"", b"one", b"two" * 1000])
NAMES = ("v1", "v2")


@pytest.mark.parametrize("status", UploadStatus)
@pytest.mark.parametrize("what", Happening)
@pytest.mark.parametrize("others", [0, 1])
def test_what_is_complete_stays_so_and_only_the_last_failure_fails(
    status: UploadStatus, what: Happening, others: int
) -> None:
    found = after(status, what, others=others)

    assert (found is UploadStatus.SUCCESS) == (status is UploadStatus.SUCCESS or what is Happening.STORED)
    assert found is not UploadStatus.FAILED or (what is Happening.FAILED and not others)
    assert found is not UploadStatus.PENDING


async def _of(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 1000):
        yield content[at : at + 1000]


class Uploading(RuleBasedStateMachine):
    """`template` is a database with tables; `kept` is what each version must give back."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="fairlead-uploads-"))
        self.clock = Clock()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.kept: dict[str, bytes] = {}
        self.parts: list[tuple[str, str, bytes]] = []
        self.addresses: list[tuple[str, str]] = []

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        (self.folder / "registry").mkdir()
        shutil.copyfile(self.template, self.folder / "registry" / "registry.db")
        self.registry: Registry = self.run(
            self.stack.enter_async_context(Registry.open(config(self.folder), clock=self.clock))
        )
        self.caller: Caller = self.run(add_caller(self.registry))
        self.run(self.registry.repositories.create(self.caller, Kind.MODEL, "iris"))
        for name in NAMES:
            new = NewVersion(version=name, build_at=1.0, manifest="{}")
            self.run(self.registry.versions.create(self.caller, Kind.MODEL, "iris", new))

    def version(self, name: str) -> Version:
        return self.run(self.registry.versions.get(self.caller, Kind.MODEL, "iris", name))

    @rule(name=st.sampled_from(NAMES))
    def start(self, name: str) -> None:
        self.run(self.registry.uploads.start(self.caller, self.version(name)))

    @rule(name=st.sampled_from(NAMES), content=CONTENTS)
    def push_through_us(self, name: str, content: bytes) -> None:
        self.run(self.registry.uploads.receive(self.caller, self.version(name), _of(content), len(content)))
        self.kept[name] = content

    @rule(name=st.sampled_from(NAMES), content=CONTENTS)
    def hang_up(self, name: str, content: bytes) -> None:
        with pytest.raises(BadRequest):
            self.run(self.registry.uploads.receive(self.caller, self.version(name), _of(content), len(content) + 1))

    @rule(name=st.sampled_from(NAMES))
    def ask_for_an_address(self, name: str) -> None:
        self.addresses.append((name, self.run(self.registry.uploads.presign(self.caller, self.version(name)))))

    @precondition(lambda self: self.addresses)
    @rule(content=CONTENTS)
    def put_to_an_address(self, content: bytes) -> None:
        name, address = self.addresses.pop(0)
        parts = urlsplit(address)
        what = parts.path.removeprefix(ROOT)
        self.run(self.registry.objects.put(what, dict(parse_qsl(parts.query)), _of(content), len(content)))
        self.kept[name] = content
        found = self.run(self.registry.uploads.finish(self.caller, self.version(name), UploadStatus.SUCCESS))
        assert found.is_complete

    @rule(name=st.sampled_from(NAMES), content=CONTENTS)
    def begin_in_parts(self, name: str, content: bytes) -> None:
        upload = self.run(self.registry.uploads.start_multipart(self.caller, self.version(name)))
        self.parts.append((name, upload, content))

    @precondition(lambda self: self.parts)
    @rule()
    def complete_parts(self) -> None:
        name, upload, content = self.parts.pop()
        etag = self.run(self.registry.uploads.put_part(upload, 1, _of(content), len(content)))
        self.run(self.registry.uploads.complete(self.caller, self.version(name), upload, [Part(1, etag)]))
        self.kept[name] = content

    @rule(name=st.sampled_from(NAMES))
    def give_up(self, name: str) -> None:
        """The client says that its upload failed: the newest that it began."""
        version = self.version(name)
        under_way = self.run(self.registry.settler.under_way(version))
        self.run(self.registry.uploads.finish(self.caller, version, UploadStatus.FAILED, "gave up"))
        for upload in under_way[-1:]:
            self._forget(upload)

    @rule()
    def wait_for_long(self) -> None:
        """Everything under way expires, and what nothing uses goes."""
        self.clock.pass_by(GRACE_S + 1)
        self.run(self.registry.collector.sweep())
        self.parts, self.addresses = [], []
        assert all(not self.run(self.registry.settler.under_way(self.version(name))) for name in NAMES)

    @rule()
    def collect(self) -> None:
        self.clock.pass_by(1)
        self.run(self.registry.collector.sweep())

    @invariant()
    def every_version_gives_what_was_last_pushed_whole(self) -> None:
        for name in NAMES:
            version = self.version(name)
            assert version.is_complete == (name in self.kept)
            assert self._content(version) == self.kept.get(name)

    def teardown(self) -> None:
        self.wait_for_long()
        stored = self.run(self._stored())
        assert stored == len(set(self.kept.values()))
        self.run(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    def _forget(self, upload: Upload) -> None:
        self.parts = [each for each in self.parts if each[1] != upload.uid]
        self.addresses = [each for each in self.addresses if upload.uid not in each[1]]

    def _content(self, version: Version) -> bytes | None:
        async def read() -> bytes:
            download = await self.registry.downloads.open(self.caller, version)
            return b"".join([chunk async for chunk in download.chunks])

        try:
            return self.run(read())
        except NotFound:
            return None

    async def _stored(self) -> int:
        return len([found async for found in self.registry.store.list()])


@pytest.mark.slow(8)
def test_uploads_against_the_model(migrated_file: Path) -> None:
    class Here(Uploading):
        template = migrated_file

    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=6, stateful_step_count=12, deadline=None, suppress_health_check=checks),
    )
