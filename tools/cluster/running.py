"""Starts and stops the cluster: on an address that only this machine and its pods reach, all state in one folder."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tools.cluster.files import write_files

BRIDGE, HOST, PODS = "fairlead0", "172.30.0.1", "172.30.0.0/16"
"""A bridge of its own, because other engines of the machine make and remove their `docker0`; its address is where pods
reach the API server and the resolver."""
TOKEN = "admintoken"  # noqa: S105 (the address is this machine's own)
ETCD, SECURE, CURRENT = 23790, 16443, 16445
_PATIENCE_S = 90.0


def up(folder: Path) -> dict[str, str]:
    """Start everything and wait until the node is ready; gives the variables that tests read."""
    state = folder / "run"
    state.mkdir(parents=True, exist_ok=True)
    engine = f"unix://{state}/docker.sock"
    write_files(state, HOST, SECURE, CURRENT, TOKEN)
    _make_bridge()
    _start(state, "docker", _docker(state, engine))
    _until(lambda: _answers("docker", "-H", engine, "version"))
    _make_pause(state, engine)
    _start(state, "etcd", _etcd(state))
    _start(state, "api", _api_server(folder, state))
    kubeconfig = state / "kubeconfig"
    _until(lambda: _answers("kubectl", "--kubeconfig", str(kubeconfig), "get", "--raw", "/readyz"))
    for name, argv in _others(folder, state).items():
        _start(state, name, argv)
    _until(lambda: _node_is_ready(kubeconfig))
    return {
        "FAIRLEAD_TEST_KUBECONFIG": str(kubeconfig),
        "FAIRLEAD_TEST_KUBECONFIG_CURRENT": str(state / "kubeconfig-current"),
        "DOCKER_HOST": engine,
    }


def down(folder: Path) -> None:
    """Stop what `up` started, the engine last, and wait until it is gone."""
    for pid_file in sorted((folder / "run").glob("*.pid"), key=lambda path: path.name == "docker.pid"):
        pid = int(pid_file.read_text())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _until(lambda pid=pid: not Path("/proc", str(pid)).exists())
        pid_file.unlink()


def _make_bridge() -> None:
    if _answers("ip", "link", "show", BRIDGE):
        return
    length = PODS.partition("/")[2]
    for words in (f"link add {BRIDGE} type bridge", f"addr add {HOST}/{length} dev {BRIDGE}", f"link set {BRIDGE} up"):
        subprocess.run(["ip", *words.split()], check=True)


def _docker(state: Path, engine: str) -> list[str]:
    argv = ["dockerd", "--host", engine, "--data-root", f"{state}/docker", "--exec-root", f"{state}/docker-exec"]
    argv += [
        "--pidfile",
        f"{state}/dockerd.pidfile",
        "--bridge",
        BRIDGE,
        "--exec-opt",
        "native.cgroupdriver=cgroupfs",
    ]
    return [*argv, "--add-runtime", f"plain={state}/runc", "--default-runtime", "plain"]


def _etcd(state: Path) -> list[str]:
    client, peer = f"http://127.0.0.1:{ETCD}", f"http://127.0.0.1:{ETCD + 10}"
    argv = ["etcd", "--data-dir", f"{state}/etcd", "--listen-client-urls", client, "--advertise-client-urls", client]
    argv += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
    return [*argv, "--unsafe-no-fsync"]


def _api_server(folder: Path, state: Path) -> list[str]:
    issuer = "https://kubernetes.default.svc"
    argv = [f"{folder}/bin/kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{ETCD}", "--bind-address", HOST]
    argv += ["--secure-port", str(SECURE), "--advertise-address", HOST, "--token-auth-file", f"{state}/tokens.csv"]
    argv += ["--tls-cert-file", f"{state}/api.crt", "--tls-private-key-file", f"{state}/api.key"]
    argv += ["--client-ca-file", f"{state}/ca.crt", "--service-account-key-file", f"{state}/sa.pub"]
    argv += ["--service-account-signing-key-file", f"{state}/sa.key", "--service-account-issuer", issuer]
    argv += ["--api-audiences", issuer, "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16"]
    return [*argv, "--allow-privileged=true", "--kubelet-preferred-address-types=InternalIP"]


def _others(folder: Path, state: Path) -> dict[str, list[str]]:
    def program(name: str, *options: str) -> list[str]:
        return [f"{folder}/bin/{name}", "--kubeconfig", f"{state}/kubeconfig", *options]

    signing = ("--cluster-signing-cert-file", f"{state}/ca.crt", "--cluster-signing-key-file", f"{state}/ca.key")
    accounts = ("--service-account-private-key-file", f"{state}/sa.key", "--root-ca-file", f"{state}/ca.crt")
    quiet = ("--bind-address", "127.0.0.1", "--port", "0", "--leader-elect=false")
    node = ("--hostname-override", "node1")
    kubelet = ("--config", f"{state}/kubelet.yaml", "--root-dir", f"{state}/kubelet", "--node-ip", HOST, *node)
    engine = ("--docker-endpoint", f"unix://{state}/docker.sock", "--pod-infra-container-image", "pause:1")
    where = ("--cert-dir", f"{state}/kubelet-pki", "--runtime-cgroups", "/", "--kubelet-cgroups", "/")
    proxy = (
        "--proxy-mode",
        "iptables",
        "--cluster-cidr",
        PODS,
        "--masquerade-all",
        "--conntrack-max-per-core",
        "0",
    )
    loopback = ("--healthz-bind-address", "127.0.0.1:16256", "--metrics-bind-address", "127.0.0.1:16249")
    core = ("--authentication-kubeconfig", f"{state}/kubeconfig", "--authorization-kubeconfig", f"{state}/kubeconfig")
    lookups = "--disable-admission-plugins=ValidatingAdmissionPolicy,MutatingAdmissionPolicy,NamespaceLifecycle"
    return {
        "controllers": program("kube-controller-manager", *signing, *accounts, *quiet, "--secure-port", "16257"),
        "scheduler": program("kube-scheduler", *quiet, "--secure-port", "16259"),
        "kubelet": program("kubelet", *kubelet, *engine, *where),
        "proxy": program("kube-proxy", *proxy, *loopback, *node),
        "resolver": ["python3", str(Path(__file__).with_name("resolver.py")), str(state), HOST, str(SECURE), TOKEN],
        "current": [
            *program("apiextensions-apiserver", *core, "--etcd-servers", f"http://127.0.0.1:{ETCD}"),
            *("--etcd-prefix", "/current", "--bind-address", "127.0.0.1", "--secure-port", str(CURRENT)),
            *("--tls-cert-file", f"{state}/api.crt", "--tls-private-key-file", f"{state}/api.key"),
            *("--enable-priority-and-fairness=false", lookups),
        ],
    }


def _make_pause(state: Path, engine: str) -> None:
    """What holds a pod's network: a static busybox that sleeps."""
    packed = subprocess.run(["tar", "-C", state / "pause", "-c", "."], capture_output=True, check=True).stdout
    argv = ["docker", "-H", engine, "import", "-c", 'ENTRYPOINT ["/pause"]', "-", "pause:1"]
    subprocess.run(argv, input=packed, stdout=subprocess.DEVNULL, check=True)


def _start(state: Path, name: str, argv: list[str]) -> None:
    with (state / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    (state / f"{name}.pid").write_text(str(process.pid))


def _answers(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _node_is_ready(kubeconfig: Path) -> bool:
    argv = ["kubectl", "--kubeconfig", str(kubeconfig), "get", "nodes", "--no-headers"]
    words = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
    return words[1:2] == ["Ready"]


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster did not come up; the logs are in its folder, run/*.log")
        time.sleep(0.5)
