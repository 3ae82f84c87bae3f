"""`python -m fairlead.control`: what the supervisor starts."""

import gc
import sys

# Imports make nothing that has to be collected; looking for it is a sixth of the start.
gc.disable()

from fairlead.control.main import main  # noqa: E402

gc.freeze()
gc.enable()
sys.exit(main())
