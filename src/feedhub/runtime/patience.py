"""Outliving a store that cannot be used for a while: no room on the disk, locked by another program, read-only."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from feedhub.errors import DamagedStoreError, StoreError

log = logging.getLogger(__name__)

_FIRST: Final = 1.0
_LONGEST: Final = 60.0


class Patience:
    """Counts store errors and says when to try again. What could not be stored stays due, so nothing is lost."""

    def __init__(self) -> None:
        self._wait = 0.0
        self._until = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the store may be tried again."""
        return monotonic() >= self._until

    @contextmanager
    def outliving(self) -> Iterator[None]:
        """Swallow a StoreError of the block, log it, and wait longer each time; a block that succeeds ends the wait.

        Raises:
            DamagedStoreError: waiting does not help.
        """
        try:
            yield
        except DamagedStoreError:
            raise
        except StoreError as error:
            self._wait = min(max(2 * self._wait, _FIRST), _LONGEST)
            self._until = monotonic() + self._wait
            again = f"{self._wait:.0f}s"
            log.error("the store cannot be used", extra={"reason": str(error), "again_in": again})
        else:
            if self._wait and self.is_over:
                log.warning("the store can be used again")
                self._wait = 0.0
