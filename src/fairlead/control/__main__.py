"""`python -m fairlead.control`: what the supervisor starts."""

import sys

from fairlead.control.main import main

sys.exit(main())
