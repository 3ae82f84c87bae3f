import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest
from fairlead.registry.packing import Archive


def unpacked(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr] # only files


def test_a_folder_is_packed_as_bentomls_clients_do_it(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "service.py").write_text("import bentoml")
    (tmp_path / "bento.yaml").write_text("name: iris")

    archive = Archive(tmp_path)
    content = b"".join(archive.chunks())

    assert unpacked(content) == {"./bento.yaml": b"name: iris", "./src/service.py": b"import bentoml"}
    assert (len(content), archive.content_bytes, archive.files) == (archive.size, 24, 2)


@given(
    st.dictionaries(st.text("abcdefgh-_", min_size=1, max_size=180), st.binary(max_size=2000), max_size=6),
)
def test_the_size_is_known_before_and_anything_packed_comes_out_again(files: dict[str, bytes]) -> None:
    archive = Archive(Path("/nonexistent-and-empty"), files)

    content = b"".join(archive.chunks())

    assert len(content) == archive.size
    assert unpacked(content) == {f"./{name}": data for name, data in files.items()}


def test_equal_trees_give_equal_bytes_whenever_they_were_written(tmp_path: Path) -> None:
    packed = []
    for at, order in ((1, "ab"), (2, "ba")):
        folder = tmp_path / str(at)
        folder.mkdir()
        for name in order:
            (folder / name).write_text(name)
            os.utime(folder / name, (at, at))
        packed.append(b"".join(Archive(folder).chunks()))

    assert packed[0] == packed[1]


def test_one_file_is_a_model_too_and_what_is_added_wins(tmp_path: Path) -> None:
    model = tmp_path / "model.joblib"
    model.write_bytes(b"weights")

    content = b"".join(Archive(model, {"model.yaml": b"name: iris"}).chunks())

    assert unpacked(content) == {"./model.joblib": b"weights", "./model.yaml": b"name: iris"}


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "secret").write_text("hush")
    (tmp_path / "model" / "link").symlink_to(tmp_path / "secret")

    with pytest.raises(BadRequest, match="is a link that leads out of"):
        Archive(tmp_path / "model")


def test_a_file_that_grows_meanwhile_is_noticed(tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(b"weights")
    archive = Archive(tmp_path)
    model.write_bytes(b"weights and more")

    with pytest.raises(BadRequest, match="changed while it was pushed"):
        b"".join(archive.chunks())
