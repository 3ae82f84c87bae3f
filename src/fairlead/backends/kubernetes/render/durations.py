"""Seconds as routers write them."""


def gateway_duration(seconds: float) -> str:
    """The Gateway API's durations (GEP-2257): whole numbers of at most five digits, each with a unit."""
    total_ms = round(seconds * 1000)
    if total_ms % 1000 == 0 and total_ms < 100_000_000:
        return f"{total_ms // 1000}s"
    if total_ms < 100_000:
        return f"{total_ms}ms"
    parts = ((3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))
    text = ""
    for size, unit in parts:
        count, total_ms = divmod(total_ms, size)
        text += f"{min(count, 99_999)}{unit}" if count else ""
    return text


def proto_duration(seconds: float) -> str:
    """Istio's durations: seconds with a fraction of at most milliseconds."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
