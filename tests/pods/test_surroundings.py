"""What a container knows of its pod."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fairlead.pods.surroundings import annotations_of, host_of, processors, thread_settings


def test_annotations_may_hold_anything(tmp_path: Path) -> None:
    path = tmp_path / "annotations"
    path.write_text('a="1=2"\nkubernetes.io/x="{\\"a\\": \\"b=c\\"}\\n\\u00e9\\t"\nbroken\n')

    assert annotations_of(path) == {"a": "1=2", "kubernetes.io/x": '{"a": "b=c"}\né\t'}


def test_a_pod_without_the_file_has_none(tmp_path: Path) -> None:
    assert annotations_of(tmp_path / "annotations") == {}


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\x7f")))
def test_what_is_quoted_comes_back(value: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "annotations")
        path.write_text(f"key={json.dumps(value)}\n")  # as Go's %q for these characters

        assert annotations_of(path) == {"key": value}


def test_processors_are_the_limit_of_the_container(tmp_path: Path) -> None:
    limit = tmp_path / "cpu.max"
    limit.write_text("150000 100000\n")
    assert processors(limit) == 2

    limit.write_text("max 100000\n")
    assert processors(limit) == 1
    assert processors(tmp_path / "nowhere") == 1


def test_libraries_get_as_many_threads_unless_somebody_said_otherwise() -> None:
    settings = thread_settings(2, {"OMP_NUM_THREADS": "7"})

    assert "OMP_NUM_THREADS" not in settings
    assert settings["OPENBLAS_NUM_THREADS"] == "2"


def test_the_address_is_loopback_unless_the_pod_says_another() -> None:
    assert host_of({}) == "127.0.0.1"
    assert host_of({"FAIRLEAD_POD_HOST": "::"}) == "::"
