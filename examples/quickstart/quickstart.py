"""What `make run` does: a model, Fairlead, Seldon's quick-start manifest, one answer, and how to go on.

Everything it makes is under build/quickstart, or the folder it is given. It uses nothing but the `fairlead` command, so
each step can be repeated by hand. Serves until Ctrl-C; with ONCE=1 it ends after the answer. FAIRLEAD_PORT and
FAIRLEAD_CONTROL_PORT choose other ports.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent.parent / "build" / "quickstart").resolve()
FAIRLEAD = Path(sys.executable).with_name("fairlead")
REQUEST = '{"data":{"ndarray":[[1,2,3,4]]}}'


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    home = PLACE / "home"
    env = {**os.environ, "FAIRLEAD_HOME": str(home)}
    try:
        manifest = prepare()
        # The folder belongs to this example: what an earlier run applied should not come back beside it.
        subprocess.run([FAIRLEAD, "down"], env=env, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(home, ignore_errors=True)
        return show(manifest, env)
    except KeyboardInterrupt:
        return 0
    except subprocess.CalledProcessError as problem:
        # The command has said what is wrong.
        return problem.returncode


def prepare() -> Path:
    """Train the model and put its folder into the manifest."""
    folder = PLACE / "iris"
    print("Training a small iris classifier.", flush=True)
    subprocess.run([sys.executable, HERE / "train_iris.py", folder], check=True, stdout=subprocess.DEVNULL)
    manifest = PLACE / "deployment.yaml"
    manifest.write_text((HERE / "deployment.yaml").read_text().replace("MODEL_FOLDER", str(folder)))
    return manifest


def show(manifest: Path, env: Mapping[str, str]) -> int:
    """Serve the model, ask it once and say how to go on."""
    print("Starting Fairlead.", flush=True)
    # In a group of its own: Ctrl-C is for us, and `stop` passes it on once. Twice would cut off requests under way.
    serving = subprocess.Popen(
        [FAIRLEAD, "up", "--output", "json"], env=env, stdout=subprocess.PIPE, text=True, process_group=0
    )
    try:
        url = read_url(serving)
        subprocess.run([FAIRLEAD, "apply", "-f", manifest, "--wait"], env=env, check=True)
        answer = subprocess.run(
            [FAIRLEAD, "predict", "iris-model", "-n", "seldon", "--data", REQUEST],
            env=env, check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
        explain(url, answer, manifest)
        if os.environ.get("ONCE") == "1":
            return 0
        print("\nServing until Ctrl-C.", flush=True)
        return serving.wait()
    finally:
        stop(serving)


def read_url(serving: "subprocess.Popen[str]") -> str:
    """Where predictions go, from what `up -o json` prints once it serves."""
    assert serving.stdout is not None
    text = ""
    for line in serving.stdout:
        text += line
        if line.startswith("}"):
            return str(json.loads(text)["url"])
    raise subprocess.CalledProcessError(serving.wait() or 1, "fairlead up")


def explain(url: str, answer: str, manifest: Path) -> None:
    base = f"{url}/seldon/seldon/iris-model/api/v1.0"
    print(
        f"""
Ask it:

  curl -s -X POST {base}/predictions \\
    -H 'Content-Type: application/json' -d '{REQUEST}'

  {answer.strip()}

Its API, to read and try in a browser:

  {base}/doc/

Go on in another terminal:

  export FAIRLEAD_HOME={PLACE / "home"} KUBECONFIG={PLACE / "home" / "kubeconfig"}
  {FAIRLEAD} status
  {FAIRLEAD} describe sdep iris-model -n seldon
  kubectl get seldondeployments -A

Change {manifest}, apply it again, and requests go on without a break:

  {FAIRLEAD} apply --wait -f {manifest}""",
        flush=True,
    )


def stop(serving: "subprocess.Popen[str]") -> None:
    while serving.poll() is None:
        try:
            serving.terminate()
            serving.wait()
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main())
