"""Where models come from: URIs, credentials, copies and the cache. `Fetcher` is the one door."""

from fairlead.storage.fetch import Fetcher

__all__ = ["Fetcher"]
