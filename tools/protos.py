"""Compile the .proto files of src/fairlead/protocols/protos into the one descriptor file that is checked in."""

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src" / "fairlead" / "protocols" / "protos"


def compile_into(target: Path) -> None:
    """Write the descriptors of all files, and of what they import, to `target`. Raises `RuntimeError` if they do not
    compile (the compiler says why on stderr)."""
    import grpc_tools
    from grpc_tools import protoc

    known = Path(grpc_tools.__file__).parent / "_proto"
    sources = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.proto"))
    options = [f"--proto_path={FOLDER}", f"--proto_path={known}", "--include_imports", f"--descriptor_set_out={target}"]
    if protoc.main(["protoc", *options, *sources]):
        raise RuntimeError(f"the files in {FOLDER} do not compile")


if __name__ == "__main__":
    compile_into(FOLDER / "descriptors.binpb")
    sys.exit(0)
