"""`kserve.protocol.rest`."""
