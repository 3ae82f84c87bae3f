"""Compile the .proto files of src/fairlead/protocols/protos into the one descriptor file that is checked in."""

import importlib.util
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src" / "fairlead" / "protocols" / "protos"


def compile_into(target: Path) -> None:
    """Write the descriptors of all files, and of what they import, to `target`. Raises `RuntimeError` with the
    compiler's words if they do not compile.

    The compiler has a process of its own: beside TensorFlow's libraries it ends in a segmentation fault."""
    found = importlib.util.find_spec("grpc_tools")
    if found is None or found.origin is None:
        raise RuntimeError("grpcio-tools is not installed: run `make setup`")
    known = Path(found.origin).parent / "_proto"
    sources = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.proto"))
    options = [f"--proto_path={FOLDER}", f"--proto_path={known}", "--include_imports", f"--descriptor_set_out={target}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *options, *sources]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the files in {FOLDER} do not compile: {done.stderr.strip()}")


if __name__ == "__main__":
    compile_into(FOLDER / "descriptors.binpb")
    sys.exit(0)
