"""A worker module whose import never ends, as one of a large library on a busy machine seems to."""

import signal

while True:
    signal.pause()
