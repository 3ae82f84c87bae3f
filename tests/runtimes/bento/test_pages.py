"""Pages of BentoML's that report nobody."""

import os
from pathlib import Path

import pytest

from fairlead.runtimes.bento.pages import keep_to_themselves

_INSTALLED = (
    "bentoml/_internal/server/http_app.py",
    "_bentoml_impl/server/main-openapi.html",
    "_bentoml_impl/server/main-ui.html",
    "bentoml/_internal/server/static_content/swagger-initializer.js",
)
_PAGE = """<head>
    <!-- Google Tag Manager -->
    <script>'https://www.googletagmanager.com/gtm.js?id='</script>
    <!-- End Google Tag Manager -->
    <link href="./static_content/index.css" />
</head>
<body>
    <!-- Google Tag Manager (noscript) -->
    <noscript><iframe src="https://www.googletagmanager.com/ns.html"></iframe></noscript>
    <!-- End Google Tag Manager (noscript) -->
    <div id="swagger-ui"></div>
</body>
"""


@pytest.mark.parametrize("name", _INSTALLED[:3])
def test_trackers_go_and_the_rest_stays(name: str, tmp_path: Path) -> None:
    page, shared = tmp_path / name, tmp_path / "shared"
    page.parent.mkdir(parents=True)
    shared.write_text(_PAGE)
    os.link(shared, page)

    keep_to_themselves(tmp_path)

    assert page.read_text() == (
        '<head>\n    <link href="./static_content/index.css" />\n</head>\n'
        '<body>\n    <div id="swagger-ui"></div>\n</body>\n'
    )
    assert shared.read_text() == _PAGE


def test_nobody_else_is_asked_about_the_api(tmp_path: Path) -> None:
    settings = tmp_path / _INSTALLED[3]
    settings.parent.mkdir(parents=True)
    settings.write_text('ui({\n    url: "./docs.json",\n    dom_id: "#swagger-ui",\n});\n')

    keep_to_themselves(tmp_path)
    keep_to_themselves(tmp_path)

    assert settings.read_text() == (
        'ui({\n    url: "./docs.json",\n    validatorUrl: null,\n    dom_id: "#swagger-ui",\n});\n'
    )


def test_a_bentoml_without_pages_stays_as_it_is(tmp_path: Path) -> None:
    keep_to_themselves(tmp_path)

    assert list(tmp_path.iterdir()) == []
