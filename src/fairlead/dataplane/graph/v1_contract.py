"""What peers understand that speak KServe's V1 protocol or TensorFlow Serving's REST: both ask a model at its path with
a verb behind a colon, and Seldon's orchestrator asks routers and combiners the same way."""

from urllib.parse import quote

from fairlead.errors import FairleadError
from fairlead.plan.model import Method
from fairlead.protocols import jsontext, seldon_v1
from fairlead.protocols.kserve_v1 import V1_JSON
from fairlead.protocols.tensorflow_rest import TENSORFLOW_JSON
from fairlead.protocols.wire import Body, Wire

_VERBS = {Method.ROUTE: "route", Method.AGGREGATE: "aggregate", Method.EXPLAIN: "explain"}
_MOST_WORDS = 500


class V1Contract:
    """The REST contract of KServe's model servers. A V1 model has no description but its state."""

    wire: Wire = V1_JSON
    takes_feedback = False

    def path(self, method: Method, model: str) -> str:
        return f"{self.status_path(model)}:{_VERBS.get(method, 'predict')}"

    def status_path(self, model: str) -> str:
        return f"/v1/models/{quote(model, safe='')}"

    def metadata_path(self, model: str) -> str:
        return self.status_path(model)

    def route_of(self, body: Body) -> int:
        """The first number of the answer's rows; a bare JSON array and Seldon's own message will do too."""
        try:
            value = jsontext.loads(body.data)
            if isinstance(value, dict):
                value = seldon_v1.decode(value) if "data" in value else self.wire.read_answer(body)
            return seldon_v1.route_of(value)
        except (FairleadError, ValueError):
            return -1

    def words_of(self, body: bytes) -> str:
        try:
            value = jsontext.loads(body)
        except ValueError:
            return body.decode("utf-8", "replace")[:_MOST_WORDS]
        said = value.get("error") or value.get("detail") if isinstance(value, dict) else None
        return said if isinstance(said, str) else ""


class TensorflowContract(V1Contract):
    """The REST contract of TensorFlow Serving. `model` may say a version and a verb besides the name, as `addressed`
    writes them: percent-encoded already."""

    wire: Wire = TENSORFLOW_JSON

    def path(self, method: Method, model: str) -> str:
        name, colon, verb = model.partition(":")
        return f"{self.status_path(name)}:{verb if colon else _VERBS.get(method, 'predict')}"

    def status_path(self, model: str) -> str:
        return f"/v1/models/{quote(model, safe='/%')}"

    def metadata_path(self, model: str) -> str:
        return f"{self.status_path(model)}/metadata"


def addressed(model: str, *, version: str = "", label: str = "", verb: str = "") -> str:
    """A model's name with what else a path of TensorFlow Serving says of it, none of which leaves its place in it."""
    name = quote(model, safe="")
    name = f"{name}/versions/{quote(version, safe='')}" if version else name
    name = f"{name}/labels/{quote(label, safe='')}" if label else name
    return f"{name}:{verb}" if verb else name
