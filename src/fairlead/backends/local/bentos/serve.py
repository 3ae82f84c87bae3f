"""Runs BentoML's server on a bento, by the Python of the bento's own environment: nothing but the standard library and
BentoML is here, and nothing of ours can be imported.

Three things make it more than `bentoml serve`. The bento is laid out anew, because its code runs in its folder and may
write there, and the fetched one belongs to everybody. A worker of BentoML's that ends takes everything with it: BentoML
would start it again, for ever and unseen, while whoever started us tells people why. And nothing of the folder that
this file is in may be found by the bento's imports.

    python serve.py --bento FOLDER --at FOLDER -- serve {bento} --port 3000
"""

import argparse
import contextlib
import gc
import importlib.util
import os
import runpy
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

_TREE = "{bento}"
_PARTS, _START = "start-", "bentoml_cli._internal.start"
"""Commands that start a part of a bento are in a module of their own since some 1.4."""
_COPIED = "src"
_PAUSE_S = 0.05
_WORD_S = 0.5
"""How long the word that everything is to stop may take to those who watch: workers hear it at the same time."""


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bento", type=Path, required=True)
    parser.add_argument("--at", type=Path, required=True)
    parser.add_argument("argv", nargs="+")
    options = parser.parse_args()
    lay_out(options.bento, options.at)
    os.chdir(options.at)
    with contextlib.suppress(ValueError):
        sys.path.remove(str(Path(__file__).parent))
    # As in an environment that was activated: code may call programs that its packages brought.
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    sys.argv = ["bentoml", *(str(options.at) if word == _TREE else word for word in options.argv)]
    threading.Thread(target=_end_with_the_first_worker, daemon=True).start()
    runpy.run_module(_module(options.argv[0]), run_name="__main__", alter_sys=True)


def _module(command: str) -> str:
    return _START if command.startswith(_PARTS) and _exists(_START) else "bentoml"


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def lay_out(bento: Path, at: Path) -> None:
    """The bento again: folders of its source that can be written to, with links to the files of both."""
    shutil.rmtree(at, ignore_errors=True)
    at.mkdir(parents=True)
    for path in bento.iterdir():
        if path.name == _COPIED and path.is_dir():
            _copy(path, at / path.name)
        else:
            (at / path.name).symlink_to(path)


def _copy(folder: Path, to: Path) -> None:
    to.mkdir()
    for path in folder.iterdir():
        if path.is_dir():
            _copy(path, to / path.name)
        else:
            (to / path.name).symlink_to(path)


def _end_with_the_first_worker() -> None:
    """Wait for a child of this process to end without taking its status, which is somebody else's to take. Children
    that BentoML itself waits for (a command that it asks something) are gone a moment later."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            time.sleep(_PAUSE_S)
            continue
        watcher = _watcher_of(ended.si_pid) if ended is not None else None
        time.sleep(_PAUSE_S if watcher is None else _WORD_S)
        if ended is not None and watcher is not None and watcher.status() not in ("stopping", "stopped"):
            _say_how_it_ended(ended)
            os._exit(1)


def _say_how_it_ended(ended: os.waitid_result) -> None:
    """Only what the worker cannot have said itself; a traceback of ours would hide its own."""
    if ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
        print(f"Error: a worker was killed by {signal.Signals(ended.si_status).name}", file=sys.stderr, flush=True)


def _watcher_of(pid: int) -> Any:
    """The watcher that runs this process, if it is a worker's. Asked once in a life, so a walk through all objects is
    cheaper than following who makes watchers in six versions."""
    circus = sys.modules.get("circus.watcher")
    watchers = [one for one in gc.get_objects() if isinstance(one, circus.Watcher)] if circus is not None else []
    return next((one for one in watchers if pid in one.processes), None)


if __name__ == "__main__":
    main()
