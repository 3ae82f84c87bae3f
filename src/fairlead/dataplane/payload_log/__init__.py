"""Copies of requests and answers as CloudEvents, for whoever audits or watches models.

Serving never waits for it: a step of the graph hands over what it has anyway, and threads write it out and send it.
What the queue has no room for is dropped and counted.
"""
