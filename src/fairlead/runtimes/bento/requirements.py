"""Which Python packages a bento's code needs, as its own image would install them: the locked list if there is one,
else what was asked for, the wheels that it brings, and the BentoML that built it where no list names one.

What only an image can have (system packages, scripts, conda) is told in sentences.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fairlead.runtimes.bento.values import Description, Image
from fairlead.runtimes.requirements import Wanted, lines_of, listed_in, name_of, parsed

_PYTHON = "env/python"
_LISTS = ("requirements.lock.txt", "requirements.txt")
# What old clients fail with today when nothing pins it: a new reading of optional fields, a private module of
# pydantic's that is gone, and pkg_resources, which is gone too. An image of their time had the older ones.
_OF_THEIR_TIME = (((1, 1), "cattrs<23.2"), ((1, 3), "pydantic<2.9"), ((1, 4), "setuptools<81"))
_PYDANTIC_SINCE = (1, 2)
# What every new-style image begins with, and a server without an image does without.
_USUAL = re.compile(
    r"apt-get update && apt-get install -q -y --no-install-recommends --allow-remove-essential "
    r"ca-certificates gnupg2 bash build-essential git\s*"
)


def wanted_by(folder: Path, bento: Description) -> Wanted:
    """What has to be installed to serve the bento in `folder`. Raises `BadRequirements`."""
    listed = _listed(folder, bento)
    brought = _wheels(folder / _PYTHON / "wheels", listed)
    requirements = tuple(dict.fromkeys((*listed.requirements, *bento.packages.conda, *brought)))
    named = {name_of(one) for one in map(parsed, requirements) if one is not None}
    if "bentoml" not in named:
        requirements += (f"bentoml=={bento.bentoml_version}",)
    return replace(
        listed,
        source=f"bento {bento.tag}",
        requirements=(*requirements, *_of_their_time(bento.bentoml, named)),
        options=tuple(dict.fromkeys((*bento.packages.options, *listed.options))),
        python=bento.packages.python_version,
        apart="bentoml",
    )


def only_in_an_image(image: Image) -> tuple[str, ...]:
    """What the bento asks for and does not have here, one sentence each."""
    return tuple(_missing(image))


def _listed(folder: Path, bento: Description) -> Wanted:
    place = folder / _PYTHON
    beside = (folder / "src", folder)
    for name in _LISTS:
        if (place / name).is_file():
            return listed_in(place, f"{_PYTHON}/{name}", lines_of(place / name), beside=beside)
    return listed_in(place, "bento.yaml", bento.packages.requirements.splitlines(), beside=beside)


def _wheels(folder: Path, listed: Wanted) -> tuple[str, ...]:
    """The wheels that no line names."""
    found = sorted(folder.glob("*.whl"))
    lines = (f"{path.name.partition('-')[0]} @ {path.resolve().as_uri()}" for path in found)
    return tuple(line for line in lines if line not in listed.requirements)


def _of_their_time(version: tuple[int, ...], named: set[str]) -> Iterator[str]:
    for before, line in _OF_THEIR_TIME:
        name = re.split(r"\W", line, maxsplit=1)[0]
        if version < before and name not in named and (name != "pydantic" or version >= _PYDANTIC_SINCE):
            yield line


def _missing(image: Image) -> Iterator[str]:
    if image.system_packages:
        yield f"the system packages {', '.join(image.system_packages)} are not installed here"
    if image.setup_script:
        yield f"the setup script {image.setup_script} is not run here"
    if image.has_template:
        yield "its Dockerfile template is not used here"
    if image.conda:
        yield f"conda is not used here; it would install {', '.join(image.conda)}"
    if image.cuda:
        yield f"CUDA {image.cuda} is not installed here; the machine's own is used"
    yield from (f"the command `{line}` is not run here" for line in image.commands if not _USUAL.fullmatch(line))
