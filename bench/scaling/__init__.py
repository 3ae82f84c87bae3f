"""Load traces run through the scaling loop with simple replicas: what is wanted and what is ready, second by second."""
