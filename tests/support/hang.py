"""The one limit after which a test calls something hung.

It counts from the last sign of life of what is watched, and passing or failing never depends on it:
a test that waits this long has failed already. `TEST_HANG_SCALE` multiplies it on a slow machine.
"""

import os

# Seconds without a sign of life.
LIMIT = 60.0 * float(os.environ.get("TEST_HANG_SCALE", "1"))
