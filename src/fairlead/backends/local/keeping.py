"""The folders in which units keep what they learn: whose they are, and when they go.

A folder lives as long as its deployment. Replicas that are still on their way out may hold it open; what they learn
then is lost, as is their deployment.
"""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from fairlead.backends.local.home import Home
from fairlead.plan.model import Owner


def kept_of(owner: Owner, home: Home) -> Path:
    """Where the units of a deployment keep things. Another of its name, later, has another uid and starts from
    nothing."""
    return home.kept / owner.namespace / owner.name / (owner.uid or "-")


def forget(owner: Owner, home: Home) -> None:
    """Remove what a deployment's units kept."""
    folder = kept_of(owner, home)
    shutil.rmtree(folder, ignore_errors=True)
    for parent in (folder.parent, folder.parent.parent):
        with suppress(OSError):
            parent.rmdir()  # unless another deployment is in it


def sweep(home: Home, owners: Iterable[Owner]) -> None:
    """Remove what is left of deployments that went while nobody was there to see it."""
    wanted = {kept_of(owner, home) for owner in owners}
    for folder in home.kept.glob("*/*/*"):
        if folder not in wanted:
            shutil.rmtree(folder, ignore_errors=True)
