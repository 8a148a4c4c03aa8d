"""Filing stored items anew beside the polls, a transaction at a time, when a configuration was taken up."""

import logging
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING

from feedhub.errors import StoreError

if TYPE_CHECKING:
    from feedhub.runtime.hub import Hub

log = logging.getLogger(__name__)


class Refiling:
    """Files what is stored by the rules of the hub that was given last.

    Outputs are published in between only after ``gap`` seconds, or most of them would be rendered again and again.
    """

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._hub: Hub | None = None
        self._rest: Iterator[None] | None = None
        self._begun_at = 0.0
        self._publish_at = 0.0
        self._steps = 0

    @property
    def is_under_way(self) -> bool:
        """Whether there may be items to file."""
        return self._hub is not None

    @property
    def may_publish(self) -> bool:
        """Whether outputs may be published now."""
        return self._hub is None or monotonic() >= self._publish_at

    def begin(self, hub: "Hub") -> None:
        """File by the rules of ``hub`` from now on; what was under way is overtaken."""
        self._hub, self._rest, self._steps = hub, None, 0
        self._begun_at = monotonic()
        self._publish_at = self._begun_at + self._gap

    def step(self) -> bool:
        """File some items in one transaction; return whether these were the last.

        Raises:
            StoreError: the store cannot be used; the next step goes on.
        """
        if self._hub is None:
            return False
        try:
            self._rest = self._hub.refiling() if self._rest is None else self._rest
            for _ in self._rest:
                self._steps += 1
                return False
        except StoreError:
            self._rest = None
            raise
        except Exception as error:  # an unexpected error must not end the daemon
            log.error("stored items cannot be filed by the present rules", extra={"reason": f"{error!r}"})
            log.debug("filing failed unexpectedly", exc_info=True)
        self._hub = self._rest = None
        if self._steps:
            seconds = round(monotonic() - self._begun_at, 1)
            log.info("stored items are filed by the present rules", extra={"seconds": seconds})
        return self._steps > 0

    def published(self) -> None:
        """Outputs were published: wait before that is done again."""
        self._publish_at = monotonic() + self._gap
