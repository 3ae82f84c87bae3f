"""How BentoML is started for one unit: all of a bento, or one of its parts with the others elsewhere. Pure.

A part is a runner of an old-style bento or a service of a new-style one. Those that are elsewhere are asked at the
gateway's inside socket: BentoML's calls say in headers which part of which deployment they are for, and routes of ours
know the way by them (`routes.py`), so an address stays the same while replicas come and go.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from fairlead.backends.local.commands import UnitPorts
from fairlead.backends.local.ports import LOOPBACK
from fairlead.backends.local.rpc import Program
from fairlead.plan.bentos import BentoStyle
from fairlead.plan.model import BentoPart, Owner, Unit
from fairlead.runtimes.bento.values import Description

_SCRIPT = Path(__file__).with_name("serve.py")
_TREE = "{bento}"
_ONE_COMMAND_SINCE = (1, 2)
"""Since when one command starts either kind of part of either style of bento."""


def bento_program(
    unit: Unit,
    bento: Description,
    *,
    owner: Owner,
    folder: Path,
    python: Path,
    env: Mapping[str, str],
    real: UnitPorts,
    workdir: Path,
    inside: Path,
) -> Program:
    """The program of one unit. `folder` is the fetched bento with its models, `python` that of its environment, `env`
    what the manifest says, and `inside` the socket where other parts are found."""
    part = unit.bento or BentoPart()
    at = workdir / str(unit.name)
    words = _command(part, bento, f"file://{inside}")
    where = ("--host", LOOPBACK, "--port", str(real.http))
    return Program(
        unit=unit.name,
        what="bentoml",
        argv=[
            *(str(python), str(_SCRIPT), "--bento", str(folder), "--at", str(at / "bento"), "--"),
            *(*words, *where),
        ],
        env={**_surroundings(unit, bento, owner=owner, at=at), **env, "PORT": str(real.http)},
        cwd=str(workdir),
        address=real.address,
        ready_path=_endpoint(bento, part, "readyz"),
        live_path=_endpoint(bento, part, "livez"),
        folder=str(folder),
        python=str(python),
        is_python=True,
    )


def _command(part: BentoPart, bento: Description, inside: str) -> tuple[str, ...]:
    """The words of BentoML's command."""
    name = part.runner or part.service
    if not part.peers and not name:
        return ("serve", _TREE)
    if bento.bentoml < _ONE_COMMAND_SINCE and part.runner:
        return ("start-runner-server", _TREE, "--runner-name", part.runner)
    named = ("--service-name", name) if name else ()
    flag = "--remote-runner" if bento.bentoml < _ONE_COMMAND_SINCE else "--depends"
    elsewhere = tuple(word for peer, _ in part.peers for word in (flag, f"{peer}={inside}"))
    return ("start-http-server", _TREE, *named, *elsewhere)


def _surroundings(unit: Unit, bento: Description, *, owner: Owner, at: Path) -> dict[str, str]:
    """What BentoML and the bento's code find in their environment unless the manifest says otherwise."""
    return {
        **dict(bento.image.env),
        "BENTO_PATH": str(at / "bento"),
        "BENTOML_HOME": str(at / "home"),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_CONTAINERIZED": "true",
        # Modules are compiled into the environment, which is BentoML's own: without, each start takes seconds more.
        "PYTHONDONTWRITEBYTECODE": "",
        "YATAI_BENTO_DEPLOYMENT_NAME": owner.name,
        "YATAI_BENTO_DEPLOYMENT_NAMESPACE": owner.namespace,
        "YATAI_T_DEPLOYMENT_UID": owner.uid,
        **dict(_workers(unit, bento)),
    }


def _workers(unit: Unit, bento: Description) -> Iterator[tuple[str, str]]:
    """Old-style servers take as many workers as the machine has cores, which are not one deployment's alone: here they
    take as many as the manifest gives them. New-style ones say it in their code."""
    if bento.style is BentoStyle.OLD:
        yield "BENTOML_API_WORKERS", str(max(1, math.ceil(unit.resources.cpu_limit or 1)))


def _endpoint(bento: Description, part: BentoPart, kind: str) -> str:
    """Where the server tells its health, which services may have elsewhere."""
    service = next((one for one in bento.services if one.name == part.service), bento.entry)
    endpoints = service.config.get("endpoints") if service is not None and not part.runner else None
    found = endpoints.get(kind) if isinstance(endpoints, dict) else None
    return found if isinstance(found, str) and found.startswith("/") else f"/{kind}"
