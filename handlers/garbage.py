"""What the collector of garbage looks at while a server runs.

It looks for objects that hold each other in circles; all others go without it. By default it looks
after 700 new ones, and each time it is thorough, through all that there is: modules, the document,
every client. A registration leaves objects that stay, and so pays for that: 40 to 55 microseconds
of a processor. What is there at the start stays, and with that set aside it is 21 to 28; looking
more seldom, 6 to 10.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New objects after which it looks. Requests leave no circles behind, so little waits for it.
SELDOM = 10_000


@contextmanager
def settled() -> Iterator[None]:
    """Until the context ends, what is there now is not looked at, and what is new more seldom.

    Garbage of the start is kept with it: to look for it beside a million clients takes seconds.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
