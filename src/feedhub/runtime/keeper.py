"""Storing one poll after the other: what is known across sources is known here.

That is whether our own network is down, and which hosts asked to be left alone.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from feedhub.errors import PollError, StoreError
from feedhub.model.report import PollReport
from feedhub.model.source import Source
from feedhub.pipeline.poll import Fetched
from feedhub.pipeline.store import Keeping, forgive, store_in
from feedhub.ports.store import Transaction
from feedhub.rules.hosts import host_key
from feedhub.rules.outage import Outage

log = logging.getLogger(__name__)


class Keeper:
    """Stores polls in the order in which it is given them. One thread stores; any may ask ``held_until``."""

    def __init__(self, keeping: Keeping, *, now: Callable[[], datetime]) -> None:
        self._keeping = keeping
        self._now = now
        self._holds: dict[str, datetime] = {}
        self.outage = Outage()

    @property
    def is_offline(self) -> bool:
        """Whether the last polls say that our own network is down."""
        return self.outage.is_ours(self._hosts)

    def keep(self, fetched: Fetched) -> PollReport:
        """Store one poll and report how it went; see ``keep_all``."""
        return self.keep_all([fetched])[0]

    def keep_all(self, batch: Sequence[Fetched]) -> list[PollReport]:
        """Store polls in one transaction, each all or nothing, and report how they went.

        Raises:
            StoreError: the store cannot be used, and nothing was stored; the polls can be repeated.
        """
        with self._keeping.store.writing() as transaction:
            return [self._keep(fetched, transaction) for fetched in batch]

    def _keep(self, fetched: Fetched, transaction: Transaction) -> PollReport:
        is_ours = self._judged(fetched, transaction)
        try:
            report = store_in(transaction, fetched, self._keeping, now=self._now(), is_ours=is_ours)
        except StoreError:
            raise
        except Exception as error:  # one source must never cost another its poll
            log.debug("storing %s failed unexpectedly", fetched.source.name, exc_info=True)
            failed = replace(fetched, error=PollError(f"unexpected {type(error).__name__}: {error}"))
            report = store_in(transaction, failed, self._keeping, now=self._now())
        if fetched.error and fetched.error.retry_at and self._keeping.settings.poll.retry_after == "host":
            self._hold(fetched.source, fetched.error.retry_at, transaction)
        return report

    def held_until(self, source: Source) -> datetime | None:
        """Return until when the host of a source wants to be left alone; None when it may be asked."""
        until = self._holds.get(self._host(source))
        return until if until and until > self._now() else None

    def resume(self, earlier: "Keeper") -> None:
        """Take over what an earlier keeper, of the configuration before, has learned."""
        self._holds = dict(earlier._holds)
        self.outage = earlier.outage

    def _judged(self, fetched: Fetched, transaction: Transaction) -> bool:
        """Take a poll into account; tell whether its failure is our own network's."""
        if fetched.held_until or fetched.source.broken:
            return False
        before, was_offline = self.outage, self.is_offline
        self.outage = before.after(fetched.source.name, self._host(fetched.source), fetched.error)
        if self.is_offline and not was_offline:
            log.warning("no source can be reached; the network seems to be down, so this counts against none")
            forgive(transaction, before.sources, self._now())
        elif was_offline and not self.is_offline:
            log.warning("the network is back")
        return self.is_offline and fetched.error is not None

    def _hold(self, source: Source, until: datetime, transaction: Transaction) -> None:
        host = self._host(source)
        self._holds[host] = max(until, self._holds.get(host, until))
        transaction.hold([other.name for other in self._keeping.settings.sources if self._host(other) == host], until)

    @cached_property
    def _hosts(self) -> frozenset[str]:
        sources = self._keeping.settings.sources
        return frozenset(host for source in sources if not source.paused and (host := self._host(source)))

    def _host(self, source: Source) -> str:
        return host_key(source.url, self._keeping.settings.poll)
