"""Small bentos as files, and what a test has to say to have one served."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from support.instance import Answer, Installation, call, until
from support.peers import ENVIRONMENTS

EXPORTED = Path(__file__).parents[1] / "fixtures" / "bentos" / "tiny" / "exported"
_REQUESTS = "/apis/resources.yatai.ai/v1alpha1/namespaces/default/bentorequests"
_DEPLOYMENTS = "/apis/serving.yatai.ai/v2alpha1/namespaces/default/bentodeployments"


def unpacked(name: str, folder: Path) -> Path:
    """One of the small bentos as a folder, to be changed."""
    with tarfile.open(EXPORTED / f"{name}.bento") as archive:
        archive.extractall(folder, filter="data")
    return folder


def share_environments(home: Path) -> None:
    """Let an installation keep its environments where other test runs find them: building one takes seconds."""
    kept = ENVIRONMENTS / "bento-environments"
    kept.mkdir(parents=True, exist_ok=True)
    (home / "cache").mkdir(parents=True, exist_ok=True)
    (home / "cache" / "environments").symlink_to(kept)


def request(name: str, place: Path) -> dict[str, Any]:
    """The BentoRequest of a bento here."""
    return {
        "apiVersion": "resources.yatai.ai/v1alpha1",
        "kind": "BentoRequest",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"bentoTag": f"{name}:tested", "downloadUrl": place.as_uri()},
    }


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    """Its BentoDeployment."""
    return {
        "apiVersion": "serving.yatai.ai/v2alpha1",
        "kind": "BentoDeployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"bento": name, **spec},
    }


class Bentos:
    """The bentos of one installation."""

    def __init__(self, running: Installation) -> None:
        self.running = running

    def apply(self, name: str, place: Path, **spec: Any) -> None:
        """Have a bento served under this name."""
        self.running.api(_REQUESTS, "POST", request(name, place))
        self.running.api(_DEPLOYMENTS, "POST", deployment(name, **spec))

    def delete(self, name: str) -> None:
        """Have it no more."""
        self.running.api(f"{_DEPLOYMENTS}/{name}", "DELETE")
        self.running.api(f"{_REQUESTS}/{name}", "DELETE")

    def condition(self, name: str, type_: str = "Available") -> dict[str, Any]:
        """One of its conditions; of the request those of the bento."""
        place = _REQUESTS if type_ == "BentoAvailable" else _DEPLOYMENTS
        status = self.running.api(f"{place}/{name}").get("status") or {}
        found = [one for one in status.get("conditions") or () if one["type"] == type_]
        return found[0] if found else {"status": "", "reason": "", "message": ""}

    def request_status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.running.api(f"{_REQUESTS}/{name}")["status"]
        return status

    def until_available(self, name: str, *, reason: str = "", timeout_s: float = 120) -> None:
        """Wait until it answers; what it says instead is in the failure."""
        last: dict[str, Any] = {}

        def is_there() -> bool:
            last.update(self.condition(name))
            return last["status"] == "True" and reason in ("", last["reason"])

        try:
            until(is_there, timeout_s=timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{name}: {last}") from error

    def until_told(self, name: str, words: str, *, type_: str = "Available", timeout_s: float = 120) -> dict[str, Any]:
        """Wait until a condition says this."""
        last: dict[str, Any] = {}

        def is_told() -> bool:
            last.update(self.condition(name, type_))
            return words in last["message"]

        try:
            until(is_told, timeout_s=timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{name} never said {words!r}; last {last}") from error
        return last

    def ask(self, name: str, path: str, document: Any, *, method: str = "POST") -> Answer:
        """Ask one with JSON."""
        body = None if document is None else json.dumps(document).encode()
        return call(self.url(name) + path, method, body, {"Content-Type": "application/json"})

    def url(self, name: str) -> str:
        return f"{self.running.url}/bento/default/{name}"


def packed(folder: Path, file: Path, *, mode: str) -> Path:
    """A folder as an archive, as `bentoml export` and `bentoml push` write them."""
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]  # modes are literals in its signature
        for path in sorted(folder.rglob("*")):
            info = archive.gettarinfo(path, f"./{path.relative_to(folder)}")
            archive.addfile(info, io.BytesIO(path.read_bytes()) if path.is_file() else None)
    return file
