"""The files that the cluster's programs read: keys and certificates, kubeconfigs, the kubelet's settings."""

import shutil
import subprocess
from pathlib import Path

_KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: k, cluster: {{server: "https://{address}", certificate-authority: {state}/ca.crt}}}}]
users: [{{name: admin, user: {{token: {token}}}}}]
contexts: [{{name: k, context: {{cluster: k, user: admin}}}}]
current-context: k
"""
_KUBELET = """apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
clusterDNS: [{host}]
clusterDomain: cluster.local
failSwapOn: false
address: {host}
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
readOnlyPort: 0
healthzPort: 0
evictionHard: {{memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%"}}
imageGCHighThresholdPercent: 99
resolvConf: {state}/resolv.conf
"""
# A sandboxed machine may not protect processes from the kernel's out-of-memory killer, which kubelet asks for.
_RUNC = """#!/bin/bash
before=""
for word in "$@"; do
  [ "$before" = "--bundle" ] && sed -i 's/"oomScoreAdj":-[0-9]*/"oomScoreAdj":0/' "$word/config.json"
  before="$word"
done
exec runc "$@"
"""
_PAUSE = """#!/bin/busybox sh
trap "exit 0" TERM INT
while :; do /bin/busybox sleep 3600 & wait $!; done
"""


def write_files(state: Path, host: str, port: int, current: int, token: str) -> None:
    """Write those that are not there."""
    shutil.rmtree(state / "etcd", ignore_errors=True)
    _write_keys(state, host)
    (state / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    (state / "kubeconfig").write_text(_KUBECONFIG.format(address=f"{host}:{port}", state=state, token=token))
    (state / "kubeconfig-current").write_text(
        _KUBECONFIG.format(address=f"127.0.0.1:{current}", state=state, token=token)
    )
    (state / "resolv.conf").write_text(f"nameserver {host}\n")
    (state / "kubelet.yaml").write_text(_KUBELET.format(host=host, state=state))
    (state / "pause" / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(shutil.which("busybox") or "busybox", state / "pause" / "bin")
    for path, text in ((state / "runc", _RUNC), (state / "pause" / "pause", _PAUSE)):
        path.write_text(text)
        path.chmod(0o755)


def _write_keys(state: Path, host: str) -> None:
    if (state / "api.crt").exists():
        return
    key = ("-newkey", "rsa:2048", "-nodes", "-days", "3650")
    _openssl("req", "-x509", *key, "-keyout", f"{state}/ca.key", "-out", f"{state}/ca.crt", "-subj", "/CN=cluster")
    _openssl("req", *key[:3], "-keyout", f"{state}/api.key", "-out", f"{state}/api.csr", "-subj", "/CN=kube-apiserver")
    names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
    addresses = ("127.0.0.1", "10.96.0.1", host)
    said = ",".join([*(f"DNS:{one}" for one in names), *(f"IP:{one}" for one in addresses)])
    (state / "names").write_text(f"subjectAltName={said}\n")
    signed = ("-CA", f"{state}/ca.crt", "-CAkey", f"{state}/ca.key", "-CAcreateserial", "-days", "3650")
    _openssl(
        "x509", "-req", "-in", f"{state}/api.csr", *signed, "-out", f"{state}/api.crt", "-extfile", f"{state}/names"
    )
    _openssl("genrsa", "-out", f"{state}/sa.key", "2048")
    _openssl("rsa", "-in", f"{state}/sa.key", "-pubout", "-out", f"{state}/sa.pub")


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
