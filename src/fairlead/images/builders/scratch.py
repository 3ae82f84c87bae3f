"""The folder of one call of a builder: its configuration with logins, certificates, and the file it writes the id to.
Nobody else may read it, and it goes when the call ends."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fairlead.images.access import Access

_KEPT_OF_HOME = ("cli-plugins", "contexts", "buildx")


@dataclass(frozen=True, slots=True)
class Scratch:
    """Paths of one call."""

    folder: Path

    @property
    def id_file(self) -> Path:
        """Where the builder writes which image it made."""
        return self.folder / "id"

    def auth_file(self, access: Access) -> Path:
        """A file with the logins alone."""
        path = self.folder / "auth.json"
        path.write_text(access.logins)
        return path

    def docker_config(self, access: Access) -> Path:
        """A folder for `DOCKER_CONFIG`: the access's logins, and the plugins, contexts and builders of its home."""
        made = self.folder / "docker"
        made.mkdir(exist_ok=True)
        home = access.home
        kept = _settings(home) | json.loads(access.logins)
        (made / "config.json").write_text(json.dumps(kept))
        for name in _KEPT_OF_HOME if home else ():
            if home and (home / name).exists() and not (made / name).exists():
                (made / name).symlink_to((home / name).resolve())
        return made

    def certificates(self, access: Access) -> Path:
        """A folder with the authority's certificate, as containers' tools look for it."""
        made = self.folder / "certificates"
        made.mkdir(exist_ok=True)
        (made / "ca.crt").write_text(access.ca_pem)
        return made


@contextmanager
def scratch() -> Iterator[Scratch]:
    """Readable to its owner alone while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="fairlead-build-"))
    try:
        yield Scratch(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(home: Path | None) -> dict[str, object]:
    """What a client's configuration says besides logins and who keeps them."""
    try:
        read = json.loads((home / "config.json").read_text()) if home else {}
    except (OSError, ValueError):
        return {}
    if not isinstance(read, dict):
        return {}
    return {key: value for key, value in read.items() if key in ("currentContext", "proxies", "cliPluginsExtraDirs")}
