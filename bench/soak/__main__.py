"""`python -m bench.soak`: mixed traffic for ten minutes while processes are killed, and nothing may leak or be wrong.

Ends with 1 when a request got a wrong answer, or none, or a refusal it should not get, or when memory, file
descriptors or threads of a process that lives on kept growing. Writes build/soak.json.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from bench.soak.report import as_document, show
from bench.soak.running import HOME, Options, soak


def main() -> int:
    """Run it and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--kill-every", type=float, default=5, metavar="S", help="seconds between two kills")
    parser.add_argument("--idle", type=int, default=2000, help="idle connections in storms; 0: no hostile clients")
    parser.add_argument("--gateway-kills", type=int, default=3, help="kills of the gateway, after the measured time")
    parser.add_argument("--without-tensorflow", action="store_true", help="a class in place of a TensorFlow model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/soak.json"))
    given = parser.parse_args()
    options = Options(
        seconds=given.minutes * 60,
        kill_every_s=given.kill_every,
        idle=given.idle,
        gateway_kills=given.gateway_kills,
        with_tensorflow=not given.without_tensorflow,
        seed=given.seed,
    )
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        outcome = soak(options, Path(folder), say=Line())
        if outcome.complaints:
            shutil.copytree(Path(folder, HOME, "logs"), given.out.with_suffix(".logs"), dirs_exist_ok=True)
    print()
    show(outcome)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(as_document(outcome), indent=1) + "\n")
    return 1 if outcome.complaints else 0


class Line:
    """One line that changes on a terminal; elsewhere one every half minute."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, words: str) -> None:
        self._count += 1
        if sys.stdout.isatty():
            print(f"\r{words}\033[K", end="", flush=True)
        elif self._count % 30 == 1 or words.endswith("\n"):
            print(words.rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
