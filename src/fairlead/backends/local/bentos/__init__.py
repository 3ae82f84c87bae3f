"""Bentos on this machine: served by the BentoML that built them, each in an environment of its own."""
