"""Exit codes of every command (SPEC §2)."""

from typing import Final

from feedhub.errors import ConfigError, FeedhubError, StoreError, UsageError

DONE: Final = 0
IN_PART: Final = 1
MISUSED: Final = 2
NO_STORE: Final = 3
INTERRUPTED: Final = 130


def exit_code(error: FeedhubError) -> int:
    """Return the code with which an error ends a command."""
    if isinstance(error, StoreError):
        return NO_STORE
    return MISUSED if isinstance(error, UsageError | ConfigError) else IN_PART
