"""Bentos: what is there to be deployed."""
