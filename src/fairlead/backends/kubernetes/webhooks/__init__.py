"""The admission webhooks: what an API server asks before it stores an object, and the certificates it is asked with."""
