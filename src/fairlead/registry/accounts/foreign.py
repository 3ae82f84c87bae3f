"""Pages of other sites, which a browser lets send requests with our cookies: told by what browsers say themselves.

Following a link from another site is no such request: it shows our page to the person and nothing to the site.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit


def is_from_foreign_page(headers: Mapping[str, str], method: str = "POST") -> bool:
    """Whether a page of another origin caused the request (Origin, or Fetch Metadata where it is sent)."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
        return True
    if headers.get("sec-fetch-site", "none") not in ("cross-site", "same-site"):
        return False
    return not is_navigation(headers, method)


def is_navigation(headers: Mapping[str, str], method: str) -> bool:
    """Whether a person is on the way to a page of ours."""
    return (
        method in ("GET", "HEAD")
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
