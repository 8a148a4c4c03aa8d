"""How many examples hypothesis looks for: few at a push, twenty times as many with ``--hypothesis-profile nightly``."""

from hypothesis import settings

USUAL = 100


def examples(number: int) -> int:
    """Return ``number``, which is meant for a push, as the profile wants it."""
    return max(1, number * settings().max_examples // USUAL)
