"""Whether this process traces. Nothing of OpenTelemetry is imported where nobody asks for it."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fairlead.dataplane.tracing.settings import settings_of

if TYPE_CHECKING:
    from fairlead.dataplane.tracing.tracer import Tracer

log = logging.getLogger(__name__)


def open_tracer(env: Mapping[str, str], *, service: str, about: Mapping[str, str] | None = None) -> "Tracer | None":
    """A tracer, or nothing where nobody asks for one or it is not installed: serving matters more. `about` are
    attributes of all its spans."""
    settings = settings_of(env, service=service)
    if settings is None:
        return None
    try:
        from fairlead.dataplane.tracing.tracer import Tracer
    except ImportError as error:
        log.error("tracing is asked for and stays off: %s; `pip install 'fairlead[tracing]'`", error)
        return None
    return Tracer(settings, about=about)
