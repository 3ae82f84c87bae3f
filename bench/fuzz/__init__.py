"""Fuzzing: bytes that no client should send, against real workers and a real gateway, beside a client that must not
notice."""
