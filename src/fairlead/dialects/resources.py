"""A container's requests and limits as plain numbers."""

from fairlead.dialects.findings import Findings
from fairlead.dialects.podspec import Quantity, ResourceRequirements
from fairlead.plan import quantity
from fairlead.plan.model import Resources


def lower_resources(given: ResourceRequirements, path: str, findings: Findings) -> Resources:
    """Requests and limits as plain numbers."""
    for name in sorted((given.limits | given.requests).keys() - {"cpu", "memory", "ephemeral-storage"}):
        findings.warn(f"{path}: {name} is ignored; cpu and memory are used")
    requests = _good(given.requests, f"{path}.requests", findings)
    limits = _good(given.limits, f"{path}.limits", findings)
    return Resources(
        cpu_request=quantity.cores(requests["cpu"]) if "cpu" in requests else None,
        cpu_limit=quantity.cores(limits["cpu"]) if "cpu" in limits else None,
        memory_request_bytes=quantity.size_bytes(requests["memory"]) if "memory" in requests else None,
        memory_limit_bytes=quantity.size_bytes(limits["memory"]) if "memory" in limits else None,
    )


def _good(values: dict[str, Quantity], path: str, findings: Findings) -> dict[str, Quantity]:
    """The quantities that can be read; the others are reported."""
    good = {}
    for name, text in values.items():
        try:
            quantity.cores(text)
        except ValueError as error:
            findings.refuse(f"{path}.{name}", str(error))
            continue
        good[name] = text
    return good
