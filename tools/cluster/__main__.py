"""`python -m tools.cluster build|up|down [FOLDER]`: a real Kubernetes of this machine's own, as root.

`up` prints what to export: FAIRLEAD_TEST_KUBECONFIG for the cluster of one node, FAIRLEAD_TEST_KUBECONFIG_CURRENT for
the current server of custom resources, and DOCKER_HOST for the engine whose images its pods can use.
"""

import sys
from pathlib import Path

from tools.cluster.building import build
from tools.cluster.running import down, up

DEFAULT = Path("build/cluster")


def main() -> int:
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in ("build", "up", "down"):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[2] if len(sys.argv) == 3 else DEFAULT).absolute()
    match sys.argv[1]:
        case "build":
            build(folder)
        case "up":
            for name, value in up(folder).items():
                print(f"export {name}={value}")
        case "down":
            down(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
