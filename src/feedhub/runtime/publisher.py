"""When the daemon publishes: soon after something was stored, not at every poll, and again after a failure."""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

from feedhub.errors import PublishError, StoreError
from feedhub.model.report import PublishReport

log = logging.getLogger(__name__)

_GAP: Final = 2.0
_RETRY: Final = 4.0
_LONGEST: Final = 60.0


class Publisher:
    """Decides when ``publish`` is called. Times in seconds of the monotonic clock."""

    def __init__(self, publish: Callable[[], PublishReport], on_published: Callable[[PublishReport], None]) -> None:
        self.publish = publish
        self._on_published = on_published
        self._is_due = True
        self._not_before = 0.0
        self._retry = _RETRY

    def mark(self) -> None:
        """Something may have changed."""
        self._is_due = True

    def wait(self, longest: float) -> float:
        """Return after how many seconds to look again, ``longest`` at most."""
        return min(longest, max(self._not_before - monotonic(), 0.0)) if self._is_due else longest

    def run(self, *, now: bool = False) -> None:
        """Publish if it is due and the last time is long enough ago; at once with ``now``.

        Raises:
            StoreError: the store cannot be used.
        """
        if not self._is_due or (monotonic() < self._not_before and not now):
            return
        self._is_due = False
        try:
            report = self.publish()
        except PublishError as error:
            report = PublishReport(failed=(("output", str(error)),))
        except StoreError:
            self._is_due = True
            raise
        except Exception as error:  # what nobody expected must not end the polling
            log.debug("publishing failed unexpectedly", exc_info=True)
            report = PublishReport(failed=(("output", f"unexpected {type(error).__name__}: {error}"),))
        self._not_before = monotonic() + _GAP
        for output, reason in report.failed:
            log.error("publish failed", extra={"output": output, "reason": reason, "again_in": f"{self._retry:g}s"})
        if report.failed:
            self._is_due = True
            self._not_before = monotonic() + self._retry
            self._retry = min(2 * self._retry, _LONGEST)
        else:
            self._retry = _RETRY
        if report.written or report.removed:
            log.info("published", extra={"written": len(report.written), "removed": len(report.removed)})
        self._on_published(report)
