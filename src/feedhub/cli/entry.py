"""Where the ``feedhub`` command begins, before anything large is imported."""

import gc
from typing import Final

_YOUNG: Final = 50_000
"""New objects before Python looks for circles among them. By its own 700, a start looks nearly two hundred times, and
finds nothing."""


def main() -> None:
    """Run one command and exit as SPEC §2 says."""
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    try:
        from feedhub.cli.main import main as run

        run()
    finally:
        # Python takes everything apart at its end, which took up to a third of a second: the system is faster.
        gc.freeze()
