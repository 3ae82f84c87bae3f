"""What `make run` does: a model, Fairlead, the quick-start manifests of Seldon and KServe, an answer of each; then a
bento, whose BentoML is installed while the others serve.

Everything it makes is under build/quickstart, or the folder it is given. It uses nothing but the `fairlead` command, so
each step can be repeated by hand. Serves until Ctrl-C; with ONCE=1 it ends after the answers of the first two, with
ONCE=1 BENTO=1 after all, and BENTO=0 leaves the bento out. FAIRLEAD_PORT and FAIRLEAD_CONTROL_PORT choose other ports.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent.parent / "build" / "quickstart").resolve()
FAIRLEAD = Path(sys.executable).with_name("fairlead")
SELDON = '{"data":{"ndarray":[[1,2,3,4]]}}'
KSERVE = '{"instances":[[6.8,2.8,4.8,1.4]]}'
BENTO = '{"rows":[[6.8,2.8,4.8,1.4]]}'
MANIFESTS = ("deployment.yaml", "inferenceservice.yaml")
BENTO_FILE = HERE.parent / "bento" / "iris_classifier.bento"


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    home = PLACE / "home"
    env = {**os.environ, "FAIRLEAD_HOME": str(home)}
    try:
        prepare()
        # The folder belongs to this example: what an earlier run applied should not come back beside it.
        subprocess.run([FAIRLEAD, "down"], env=env, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(home, ignore_errors=True)
        return show(env)
    except KeyboardInterrupt:
        return 0
    except subprocess.CalledProcessError as problem:
        # The command has said what is wrong.
        return problem.returncode


def prepare() -> None:
    """Train the model and put its folder into the manifests."""
    folder = PLACE / "iris"
    print("Training a small iris classifier.", flush=True)
    subprocess.run([sys.executable, HERE / "train_iris.py", folder], check=True, stdout=subprocess.DEVNULL)
    for name in MANIFESTS:
        (PLACE / name).write_text((HERE / name).read_text().replace("MODEL_FOLDER", str(folder)))


def show(env: Mapping[str, str]) -> int:
    """Serve the model under both manifests, ask each once and say how to go on."""
    print("Starting Fairlead.", flush=True)
    # In a group of its own: Ctrl-C is for us, and `stop` passes it on once. Twice would cut off requests under way.
    serving = subprocess.Popen(
        [FAIRLEAD, "up", "--output", "json"], env=env, stdout=subprocess.PIPE, text=True, process_group=0
    )
    try:
        url = read_url(serving)
        files = [word for name in MANIFESTS for word in ("-f", PLACE / name)]
        subprocess.run([FAIRLEAD, "apply", *files, "--wait"], env=env, check=True)
        explain(url, ask("sdep/iris-model", SELDON, env), ask("isvc/sklearn-iris", KSERVE, env))
        is_once = os.environ.get("ONCE") == "1"
        if os.environ.get("BENTO", "0" if is_once else "1") == "1":
            show_bento(url, env)
        if is_once:
            return 0
        print("\nServing until Ctrl-C.", flush=True)
        return serving.wait()
    finally:
        stop(serving)


def show_bento(url: str, env: Mapping[str, str]) -> None:
    """Serve a bento too. What it needs of the package index may not be had here; the rest goes on without."""
    print(
        f"\nA bento as well, with BentoML in an environment of its own:\n\n  {FAIRLEAD} apply -f {BENTO_FILE}\n",
        flush=True,
    )
    done = subprocess.run([FAIRLEAD, "apply", "-f", BENTO_FILE, "--wait", "--timeout", "5m"], env=env, check=False)
    if done.returncode:
        return
    address = f"{url}/bento/default/iris-classifier"
    said = answer_of(f"{address}/classify")
    print(
        f"""
  curl -s {address}/classify -H 'Content-Type: application/json' -d '{BENTO}'

  {said}

Its own page, to try it in a browser:

  {address}/""",
        flush=True,
    )


def answer_of(url: str) -> str:
    """What the bento says, asked as any program would."""
    asked = urllib.request.Request(url, BENTO.encode(), {"Content-Type": "application/json"})  # noqa: S310 - our own
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
        return str(answer.read().decode())


def ask(name: str, request: str, env: Mapping[str, str]) -> str:
    """The answer to one request."""
    command = [FAIRLEAD, "predict", name, "--data", request]
    return subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def read_url(serving: "subprocess.Popen[str]") -> str:
    """Where predictions go, from what `up -o json` prints once it serves."""
    assert serving.stdout is not None
    text = ""
    for line in serving.stdout:
        text += line
        if line.startswith("}"):
            return str(json.loads(text)["url"])
    raise subprocess.CalledProcessError(serving.wait() or 1, "fairlead up")


def explain(url: str, seldon: str, kserve: str) -> None:
    base = f"{url}/seldon/seldon/iris-model/api/v1.0"
    port = url.rsplit(":", 1)[-1]
    print(
        f"""
Ask it as Seldon's clients do:

  curl -s -X POST {base}/predictions \\
    -H 'Content-Type: application/json' -d '{SELDON}'

  {seldon}

and as KServe's do:

  curl -s http://sklearn-iris.default.localhost:{port}/v1/models/sklearn-iris:predict -d '{KSERVE}'

  {kserve}

Its API, to read and try in a browser:

  {base}/doc/

Leave the second one alone for a minute and a half: it ends, and the next request starts it again.

Go on in another terminal:

  export FAIRLEAD_HOME={PLACE / "home"} KUBECONFIG={PLACE / "home" / "kubeconfig"}
  {FAIRLEAD} status
  {FAIRLEAD} describe isvc sklearn-iris
  kubectl get seldondeployments,inferenceservices -A

Change a manifest, apply it again, and requests go on without a break:

  {FAIRLEAD} apply --wait -f {PLACE / MANIFESTS[1]}""",
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
