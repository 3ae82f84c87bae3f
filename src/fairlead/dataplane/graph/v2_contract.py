"""What a peer that speaks the Open Inference Protocol V2 understands: inference at its model's path, and for
routers and combiners the two paths that Seldon's orchestrator asks them at."""

from collections.abc import Mapping
from urllib.parse import quote

from fairlead.errors import FairleadError
from fairlead.plan.model import Method
from fairlead.protocols import jsontext, seldon_v1
from fairlead.protocols.v2_json import V2_JSON
from fairlead.protocols.wire import Body, Wire

_PATHS: Mapping[Method, str] = {Method.ROUTE: "/route", Method.AGGREGATE: "/aggregate"}
_MOST_WORDS = 500


class V2Contract:
    """The REST contract of MLServer, Triton and KServe's servers."""

    wire: Wire = V2_JSON
    takes_feedback = False

    def path(self, method: Method, model: str) -> str:
        return _PATHS.get(method) or f"/v2/models/{quote(model, safe='')}/infer"

    def status_path(self, model: str) -> str:
        return f"/v2/models/{quote(model, safe='')}/ready"

    def metadata_path(self, model: str) -> str:
        return f"/v2/models/{quote(model, safe='')}"

    def route_of(self, body: Body) -> int:
        """The first value of the first output; a bare JSON array and Seldon's own message will do too."""
        try:
            if body.json_bytes < 0 and b'"outputs"' not in body.data:
                value = jsontext.loads(body.data)
                return seldon_v1.route_of(value if isinstance(value, list) else seldon_v1.decode(value))
            return seldon_v1.route_of(V2_JSON.read_answer(body))
        except (FairleadError, ValueError):
            return -1

    def words_of(self, body: bytes) -> str:
        try:
            value = jsontext.loads(body)
        except ValueError:
            return body.decode("utf-8", "replace")[:_MOST_WORDS]
        if not isinstance(value, dict):
            return ""
        said = value.get("error") or value.get("detail") or ""
        return said if isinstance(said, str) else jsontext.dumps(said).decode().strip()[:_MOST_WORDS]
