"""Ask MLServer, KServe's SDK and Fairlead the same questions and write docs/compatibility.md from the answers.

`make compare-peers` runs it. The servers are those of bench/peers/requirements.txt, each in its environment below
`.peers/`, on loopback; the questions are tests/support/v2_cases.py, asked by Triton's and KServe's clients.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from bench.peers.run import build, requirements  # noqa: E402 - the paths above come first
from bench.ports import free_port  # noqa: E402
from bench.servers import Running, start  # noqa: E402

from support.conformance_models import MIRROR, Place, Places  # noqa: E402
from support.models import train_iris_sklearn  # noqa: E402
from support.own_column import DOCUMENT, SERVERS, fairlead, written  # noqa: E402
from support.peers import peer  # noqa: E402
from support.v2_cases import CASES, Peers  # noqa: E402

_FILES = ROOT / "tests" / "fixtures" / "servers"
_READY = json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}).encode()


@contextlib.contextmanager
def _running(argv: list[str], env: dict[str, str], folder: Path, place: Place) -> Iterator[Places]:
    server: Running = start(argv, env=env, core=None, cwd=folder)
    try:
        server.wait_for(f"http://{place.rest}/v2/models/mirror/infer", body=_READY, timeout_s=120)
        yield {"mirror": place, "iris": place}
    finally:
        server.stop()


@contextlib.contextmanager
def mlserver(environment: Path, folder: Path) -> Iterator[Places]:
    """MLServer with the mirror and iris."""
    ports = {"http_port": free_port(), "grpc_port": free_port(), "metrics_port": free_port()}
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    (folder / "settings.json").write_text(json.dumps(settings))
    uri = str(train_iris_sklearn(folder / "model") / "model.joblib")
    models: dict[str, dict[str, object]] = {
        "iris": {"implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": uri}},
        "mirror": {"implementation": "mlserver_models.Mirror"},
    }
    for name, model in models.items():
        (folder / name).mkdir()
        (folder / name / "model-settings.json").write_text(json.dumps({"name": name, **model}))
    place = Place(f"127.0.0.1:{ports['http_port']}", f"127.0.0.1:{ports['grpc_port']}")
    env = {"PATH": f"{environment}/bin:{os.environ['PATH']}", "PYTHONPATH": str(_FILES), "HOME": str(folder)}
    with _running([f"{environment}/bin/mlserver", "start", str(folder)], env, folder, place) as running:
        yield running


@contextlib.contextmanager
def kserve(environment: Path, folder: Path) -> Iterator[Places]:
    """KServe's server with the mirror and iris."""
    http_port, grpc_port = free_port(), free_port()
    (folder / "mirroring.py").write_text(MIRROR)
    iris = train_iris_sklearn(folder / "model") / "model.joblib"
    env = {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "MODELS": str(folder), "IRIS_MODEL": str(iris)}
    argv = [
        f"{environment}/bin/python",
        str(ROOT / "bench" / "peers" / "loopback.py"),
        str(_FILES / "kserve_models.py"),
    ]
    place = Place(f"127.0.0.1:{http_port}", f"127.0.0.1:{grpc_port}")
    with _running(argv, env | {"HOME": str(folder)}, folder, place) as running:
        yield running


def column(places: Places, peers: Peers) -> list[str]:
    """What a server does in every case."""
    return [case.outcome(places, peers) for case in CASES]


def main() -> int:
    """Write the table."""
    os.chdir(ROOT)
    packages = requirements()
    with (
        tempfile.TemporaryDirectory() as first,
        tempfile.TemporaryDirectory() as second,
        tempfile.TemporaryDirectory() as third,
        peer("triton", "triton_driver") as triton,
        peer("kserve", "kserve_driver") as client,
    ):
        peers = {"triton": triton, "kserve": client}
        with mlserver(build("mlserver", packages["mlserver"]), Path(first)) as places:
            columns = [column(places, peers)]
        with kserve(build("kserve", packages["kserve"]), Path(second)) as places:
            columns.append(column(places, peers))
        with fairlead(Path(third)) as places:
            columns.append(column(places, peers))
    rows = [(case.name, *(each[index] for each in columns)) for index, case in enumerate(CASES)]
    DOCUMENT.write_text(written(DOCUMENT.read_text(), rows))
    print(f"{DOCUMENT.relative_to(ROOT)}: {len(rows)} cases, {', '.join(SERVERS)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
