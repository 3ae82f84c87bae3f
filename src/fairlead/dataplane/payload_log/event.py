"""One payload on its way to a sink: a CloudEvent 1.0 with its data as bytes."""

import base64
from typing import Any, NamedTuple

from fairlead.protocols import jsontext


class Event(NamedTuple):
    """`attributes` are the event's context attributes without the `ce-` of HTTP, in the order they are sent."""

    attributes: dict[str, str]
    content_type: str
    data: bytes

    def structured(self) -> dict[str, Any]:
        """The event as one JSON object: its data as JSON when it is, else in base64."""
        value: dict[str, Any] = {**self.attributes, "datacontenttype": self.content_type}
        if "json" in self.content_type:
            try:
                return value | {"data": jsontext.loads(self.data)}
            except ValueError:
                pass
        return value | {"data_base64": base64.b64encode(self.data).decode()}
