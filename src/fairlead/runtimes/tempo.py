"""Seldon's Tempo: pipelines saved as a conda environment packed with conda-pack and a class pickled with cloudpickle.

They are not served, and this says why. The pickle was written by the Python and the library versions of the packed
environment and is read by nothing else; the environment is one of conda for another machine, and Tempo, which the class
derives from, has not been maintained since 2022. The class itself is ordinary code and can be served as such.
"""

from typing import NoReturn

from fairlead.errors import LoadError
from fairlead.runtimes.base import LoadContext


def load(context: LoadContext) -> NoReturn:
    """Say why it is not served, and what to do instead."""
    raise LoadError(
        f"unit {context.unit.name}: Tempo's folders are not served: their conda environment and the class pickled in "
        "it run with each other alone; serve the class as your own Python code, or the models it calls by their formats"
    )
