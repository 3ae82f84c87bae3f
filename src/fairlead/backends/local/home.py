"""Where one installation on one machine keeps its things. Paths only; nothing is created here but `prepare`."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

# sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS; socket names of ours stay under 40.
_LONGEST_RUN_FOLDER = 60


@dataclass(frozen=True, slots=True)
class Home:
    """`$FAIRLEAD_HOME`, by default `~/.fairlead`."""

    root: Path

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.root / "config.toml"

    @property
    def database(self) -> Path:
        """The SQLite file of the control plane."""
        return self.root / "state.db"

    @property
    def kubeconfig(self) -> Path:
        """Written by `up` for kubectl and Kubernetes clients."""
        return self.root / "kubeconfig"

    @property
    def cache(self) -> Path:
        """Fetched artifacts by digest."""
        return self.root / "cache"

    @property
    def logs(self) -> Path:
        """`<namespace>/<replica>.log`, and the logs of our own processes."""
        return self.root / "logs"

    @property
    def registry(self) -> Path:
        """The registry's database, secret key and bytes."""
        return self.root / "registry"

    @property
    def claims(self) -> Path:
        """Folders of PersistentVolumeClaims: `<namespace>/<claim>`."""
        return self.root / "claims"

    @property
    def work(self) -> Path:
        """Scratch folders of replicas."""
        return self.root / "work"

    @property
    def kept(self) -> Path:
        """What units keep from one life to the next: `<namespace>/<name>/<uid>/<component>/<unit>`, until the
        deployment is deleted."""
        return self.root / "kept"

    @property
    def plans(self) -> Path:
        """The last good plan of each resource: `<kind>/<namespace>/<name>.json`."""
        return self.root / "plans"

    @property
    def certificates(self) -> Path:
        """Certificates and keys out of Secrets, for the gateway: `<namespace>/<secret>.pem`."""
        return self.root / "certificates"

    @property
    def routes(self) -> Path:
        """The gateway's last table."""
        return self.root / "routes.json"

    @property
    def instance(self) -> Path:
        """What runs now: pid, ports and URLs, as JSON, while the supervisor lives."""
        return self.root / "instance.json"

    @property
    def lock(self) -> Path:
        """Locked by the supervisor, so that one home has one."""
        return self.root / "lock"

    @property
    def run(self) -> Path:
        """Sockets. Under the home unless its path is too long for a Unix socket."""
        inside = self.root / "run"
        if len(os.fsencode(inside)) <= _LONGEST_RUN_FOLDER:
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"fairlead-{os.getuid()}-{digest}"

    @property
    def supervisor_socket(self) -> Path:
        """Where the control process talks to the supervisor."""
        return self.run / "supervisor.sock"

    @property
    def gateway_socket(self) -> Path:
        """Where the control process hands the gateway its table."""
        return self.run / "gateway.sock"

    @property
    def inside_socket(self) -> Path:
        """Where workers ask other services of ours, through the gateway."""
        return self.run / "inside.sock"

    def prepare(self) -> None:
        """Create the folders, readable by their owner only."""
        for folder in (
            self.root,
            self.run,
            self.cache,
            self.logs,
            self.claims,
            self.work,
            self.kept,
            self.certificates,
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
