"""Reads the code blocks of a documentation page: what to run, what it must print, and what is left out and why."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md", *ROOT.glob("docs/**/*.md")])

_BLOCK = re.compile(
    r"(?:^<!-- (?P<word>not run|needs): (?P<note>[^\n]*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block. `not_run` is the page's own reason; `needs` are programs the block uses."""

    language: str
    text: str
    line: int
    not_run: str = ""
    needs: tuple[str, ...] = ()


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [_block(found, text) for found in _BLOCK.finditer(text)]


def _block(found: re.Match[str], text: str) -> Block:
    note = found["note"] or ""
    return Block(
        language=found["language"],
        text=found["text"],
        line=1 + text.count("\n", 0, found.start("text")),
        not_run=note if found["word"] == "not run" else "",
        needs=tuple(note.split(", ")) if found["word"] == "needs" else (),
    )


def runnable(page: Path) -> list[Block]:
    """The shell blocks that a reader may type, in order, with the outputs that follow them."""
    return [block for block in blocks(page) if block.language in ("bash", "text") and not block.not_run]


def pages_with_commands() -> Iterator[Path]:
    return (page for page in PAGES if any(block.language == "bash" for block in runnable(page)))
