"""Client ids that no run on a lab has used yet, so that the tests pass on a lab that is kept, too."""

from __future__ import annotations

import itertools
import random

__all__ = ["fresh"]

# Far apart: an id that is formed follows the highest of those on the list, and must not be the next one of these.
_NUMBERS = itertools.count(random.SystemRandom().randrange(1_000, 900_000_000), 1_000)


def fresh() -> str:
    """Return the next id."""
    return f"C{next(_NUMBERS)}"
