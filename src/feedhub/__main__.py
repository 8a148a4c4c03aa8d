"""Where the ``feedhub`` command and ``python -m feedhub`` begin, before anything large is imported."""

import gc
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from feedhub.runtime.hub import Waits

_FIRST_THRESHOLD: Final = 150_000
"""New objects before Python looks for reference cycles among them. By its own 700 it looks nearly two hundred times
during a start, and finds nothing; a start of a poll makes 110,000 that stay."""


def main(waits: "Waits | None" = None) -> None:
    """Run one command and exit as SPEC §2 says. Tests hand in shorter ``waits``."""
    gc.set_threshold(_FIRST_THRESHOLD, *gc.get_threshold()[1:])
    try:
        from feedhub.cli.main import main as run

        run(waits=waits)
    finally:
        # At its end Python goes through all objects, which took up to a third of a second; it leaves frozen ones alone.
        gc.freeze()


if __name__ == "__main__":
    main()
