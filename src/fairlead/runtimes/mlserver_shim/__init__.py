"""The names that users' files import from `mlserver`, when that package is not installed.

Classes written for MLServer (1.7) derive from `MLModel` and speak in the types of the Open Inference Protocol. Those
are here under the same names, with the codecs; MLServer's own server and its command are not.
`fairlead.runtimes.stand_in` makes them importable.
"""

from fairlead.runtimes.mlserver_shim import codecs, errors, logging, types
from fairlead.runtimes.mlserver_shim.model import MLModel
from fairlead.runtimes.mlserver_shim.settings import ModelParameters, ModelSettings

__all__ = ["MLModel", "ModelParameters", "ModelSettings", "codecs", "errors", "logging", "types"]
