"""docs/kubernetes-seldon.md names every annotation that a cluster's objects follow."""

import re
from pathlib import Path

from fairlead.dialects.seldon import annotations
from fairlead.dialects.seldon.cluster import containers, engine, exposures, tuning, workloads
from fairlead.dialects.seldon.names import SERVICE_NAME_ANNOTATION
from fairlead.dialects.seldon.validate import NO_ENGINE_ANNOTATION

PAGE = (Path(__file__).parents[4] / "docs" / "kubernetes-seldon.md").read_text()
MODULES = (annotations, containers, engine, exposures, tuning, workloads)


def test_the_page_names_every_annotation_that_is_read() -> None:
    read = {SERVICE_NAME_ANNOTATION, NO_ENGINE_ANNOTATION, annotations.FUSE}
    for module in MODULES:
        read |= {str(value) for name, value in vars(module).items() if name.isupper() and is_annotation(value)}

    assert {name for name in read if f"`{name}" not in PAGE} == set()


def is_annotation(value: object) -> bool:
    return isinstance(value, str) and value.startswith("seldon.io/")


def test_no_line_of_the_page_is_about_an_annotation_that_is_gone() -> None:
    sources = "".join(Path(module.__file__ or "").read_text() for module in MODULES)
    told = set(re.findall(r"^\| `(seldon\.io/[a-z-]+)`", PAGE, re.MULTILINE))

    known = {SERVICE_NAME_ANNOTATION, NO_ENGINE_ANNOTATION}
    assert {name for name in told - known if name not in sources and "circuit-breakers" not in name} == set()
