"""Generating text for many requests at once: a scheduler on a thread of its own, one token a step for all of them."""
