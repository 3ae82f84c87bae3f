"""Everything a user can name is in the documentation: commands, flags, settings, metrics and reasons."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from fairlead import errors
from fairlead.cli.app import build
from fairlead.control.settings import KEYS, defaults
from support.doc_pages import PAGES, ROOT

SOURCE = ROOT / "src" / "fairlead"
DOCS = ROOT / "docs"


def commands() -> dict[str, set[str]]:
    """Every command with its flags, read from the command line itself; some have two words."""
    return dict(_commands(build()))


def _commands(app: App, before: str = "") -> Iterator[tuple[str, set[str]]]:
    for name in (name for name in app if not name.startswith("-")):
        if app[name].default_command is None:
            yield from _commands(app[name], f"{name} ")
            continue
        shown = [each for each in app[name].assemble_argument_collection() if each.parameter.show is not False]
        yield before + name, {word for each in shown for word in each.names if word.startswith("-")}


@pytest.mark.parametrize("command", sorted(commands()))
def test_a_command_and_each_of_its_flags_are_in_the_reference(command: str) -> None:
    page = (DOCS / "cli.md").read_text()
    sections = dict(re.findall(r"^### `fairlead ([\w -]+)`\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    everywhere = page[: page.index("## This machine")]

    assert command in sections
    told = sections[command] + everywhere
    assert {flag for flag in commands()[command] if f"`{flag}" not in told and f"{flag} " not in told} == set()


def test_the_reference_has_no_command_that_is_gone() -> None:
    told = set(re.findall(r"^### `fairlead ([\w -]+)`", (DOCS / "cli.md").read_text(), re.MULTILINE))

    assert told == set(commands())


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_a_setting_is_documented_with_its_variable_and_default(key: object) -> None:
    name, variable = getattr(key, "name", ""), getattr(key, "variable", "")
    rows = [line for line in (DOCS / "settings.md").read_text().splitlines() if line.startswith(f"| `{name}` |")]

    assert len(rows) == 1
    assert f"`{variable}`" in rows[0] or not variable
    default = defaults()[name]
    if isinstance(default, bool | str) and default != "":
        assert f"| `{str(default).lower()}` |" in rows[0] or name == "host"
    elif isinstance(default, int):
        shown = f"{default // 2**20}M" if default >= 2**20 else str(default)
        assert f"| `{shown}` |" in rows[0]


def test_the_settings_page_has_no_key_that_is_gone() -> None:
    told = set(re.findall(r"^\| `([a-z_.]+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE))

    assert told == {key.name for key in KEYS}


def metrics() -> set[str]:
    """Names of metrics, as the modules that count write them."""
    names = set()
    for module in (*SOURCE.rglob("metering.py"), *SOURCE.rglob("*_metrics.py")):
        text = module.read_text()
        names.update(re.findall(r'"((?:seldon_api|fairlead|process|python|request|model_infer)_[a-z_]+)"', text))
        names.update(re.findall(r'"(:tensorflow:[a-z_:]+)"', text))
        for prefix in re.findall(r'f"(fairlead_[a-z_]+_)\{field\}"', text):
            names.update(f"{prefix}{field}" for field in re.findall(r'\("((?!fairlead_)[a-z_]+)", "[A-Z]', text))
    return names


def test_every_metric_is_documented() -> None:
    page = (DOCS / "metrics.md").read_text()

    assert len(metrics()) >= 10
    assert {name for name in metrics() if f"`{name}`" not in page} == set()


def reasons() -> set[str]:
    """Reasons of error classes, and those given to causes and Events in place."""
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return {str(vars(kind)["reason"]) for kind in classes if "reason" in vars(kind)} | set(_written_reasons())


def _written_reasons() -> Iterator[str]:
    for module in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ClassDef):
                yield from _class_reasons(node)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Cause":
                for keyword in node.keywords:
                    if keyword.arg == "reason":
                        yield from _texts(keyword.value)


def _class_reasons(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        if not isinstance(statement, ast.Assign):
            continue
        for target in statement.targets:
            if isinstance(target, ast.Name) and target.id == "reason":
                yield from _texts(statement.value)


def _texts(value: ast.expr) -> Iterator[str]:
    """The words an expression may give: `"A"`, and both of `"A" if … else "B"`."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body)
        yield from _texts(value.orelse)


def test_every_reason_is_explained() -> None:
    page = (DOCS / "errors.md").read_text()

    assert {reason for reason in reasons() if f"`{reason}`" not in page} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    # What stands between backticks is no link: a regular expression may look like one.
    prose = re.sub(r"`[^`\n]+`", "", page.read_text())
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose)
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text() + (DOCS / "decisions" / "README.md").read_text()

    assert [page.name for page in PAGES if page.parent != ROOT and f"{page.name})" not in index] == []


def test_the_readme_fits_a_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 70
