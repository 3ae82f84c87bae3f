"""Documents from files, and the problems that need no server."""

from pathlib import Path

import pytest

from fairlead.cli.manifests import read_documents
from fairlead.errors import InvalidManifest, NotFound


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_several_documents_of_a_file_keep_their_order_and_lines(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: b}\n"
    )

    first, second = read_documents([write(tmp_path, "m.yaml", text)])

    assert (first.label, second.label) == ("Namespace/a", "Secret/b")
    assert str(second.where).endswith("m.yaml:5")


def test_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "a.yaml", "kind: Namespace\nmetadata: {name: a}\n"),
        write(tmp_path, "b.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: 7}\n"),
        write(tmp_path, "c.yaml", "a: [\n"),
    ]

    with pytest.raises(InvalidManifest) as caught:
        read_documents(files)

    text = str(caught.value)
    assert "a.yaml:1: apiVersion: apiVersion is missing" in text
    assert "b.yaml:3: metadata.name: a name is missing (7 is no text)" in text
    assert "c.yaml" in text
    assert "not valid YAML" in text


def test_a_file_with_nothing_in_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no manifest in there"):
        read_documents([write(tmp_path, "m.yaml", "# nothing\n")])


def test_an_object_that_was_printed_can_be_sent_again(tmp_path: Path) -> None:
    text = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  uid: "1"
  resourceVersion: "5"
  managedFields: []
  annotations: {mine: "1", kubectl.kubernetes.io/last-applied-configuration: "{}"}
data: {k: v}
status: {}
"""
    (document,) = read_documents([write(tmp_path, "m.yaml", text)])

    assert document.for_server() == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "annotations": {"mine": "1"}},
        "data": {"k": "v"},
    }
