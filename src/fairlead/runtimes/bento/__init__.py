"""Bentos as files: what one says of itself, and what its code needs. No BentoML is imported, and nothing runs."""
