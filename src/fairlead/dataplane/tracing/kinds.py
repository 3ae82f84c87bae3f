"""What a span stands for. Apart from the tracer, which imports OpenTelemetry."""

from enum import Enum


class Kind(Enum):
    """What a span stands for; the names are OpenTelemetry's."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    INTERNAL = "INTERNAL"
