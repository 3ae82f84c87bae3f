"""Keeps BentoML's pages to the machine that serves them: as installed, they report whoever opens them to Google, and
since 1.1 have Swagger's makers look at the description of any API that has a public name."""

import re
from collections.abc import Callable
from pathlib import Path

_TRACKER = re.compile(r"[ \t]*<!-- Google Tag Manager.*?<!-- End Google Tag Manager[^>]*-->\n?", re.DOTALL)
_PAGES = (
    "bentoml/_internal/server/http_app.py",
    "_bentoml_impl/server/main-openapi.html",
    "_bentoml_impl/server/main-ui.html",
)
_SETTINGS, _SETTING, _FIRST = (
    "bentoml/_internal/server/static_content/swagger-initializer.js",
    "validatorUrl",
    "dom_id:",
)


def keep_to_themselves(site: Path) -> None:
    """Take both out of the pages in these site-packages; a BentoML that is not there, or has neither, stays as it
    is."""
    for name in _PAGES:
        _rewrite(site / name, lambda text: _TRACKER.sub("", text))
    _rewrite(site / _SETTINGS, _unvalidated)


def _unvalidated(text: str) -> str:
    return text if _SETTING in text else text.replace(_FIRST, f"{_SETTING}: null,\n    {_FIRST}", 1)


def _rewrite(path: Path, change: Callable[[str], str]) -> None:
    """In a file of its own: the one that is there may be one with the installer's copy for everybody."""
    if not path.is_file():
        return
    before = path.read_text(encoding="utf-8")
    after = change(before)
    if after != before:
        written = path.with_name(f".{path.name}.new")
        written.write_text(after, encoding="utf-8")
        written.replace(path)
