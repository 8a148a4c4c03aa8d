"""Notifies a WebSub hub of changed feeds, so that it can notify its subscribers (WebSub §6)."""

import heapq
import logging
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Final
from urllib.parse import quote, urlencode

from feedhub.errors import FetchError, RefusedAddressError
from feedhub.fetch.fetcher import build_fetcher
from feedhub.model.document import Request
from feedhub.model.output import Site
from feedhub.model.report import PollReport, PublishReport
from feedhub.model.settings import ConfigFault, Settings
from feedhub.ports.world import Fetcher
from feedhub.runtime.hub import Hub, utc_now

log = logging.getLogger(__name__)

TRIES: Final = 5
_FIRST_WAIT: Final = 5.0
_GROWTH: Final = 4
_LONGEST_WAIT: Final = 3_600.0
_TIMEOUT: Final = 15.0
_MOST_PENDING: Final = 10_000
_LARGEST_ANSWER: Final = 100_000
_TEMPORARY_STATUSES: Final = frozenset({408, 425, 429})


class HubPinger:
    """Pings a hub from a thread of its own, so that publishing and polling do not wait for it.

    Pending pings are in memory only: after a restart, the next change of a feed pings the hub again. ``first_wait`` is
    in seconds; every further wait is four times as long, unless the hub names one (``Retry-After``). ``now`` returns
    aware UTC.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        hub_url: str,
        *,
        user_agent: str = "feedhub",
        first_wait: float = _FIRST_WAIT,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._fetcher = fetcher
        self._hub_url = hub_url
        self._user_agent = user_agent
        self._first_wait = first_wait
        self._now = now
        self._changed = threading.Condition()
        self._due: list[tuple[float, str]] = []
        self._tries: dict[str, int] = {}
        self._give_up_at: float | None = None
        self._thread: threading.Thread | None = None

    def use(self, fetcher: Fetcher, hub_url: str, user_agent: str) -> None:
        """Go on with another fetcher, and perhaps another hub; pending pings stay pending."""
        with self._changed:
            self._fetcher, self._hub_url, self._user_agent = fetcher, hub_url, user_agent

    def notify(self, urls: Iterable[str]) -> None:
        """Ping the hub soon for each of these feeds. A feed that is pending already is pinged once, with new tries."""
        with self._changed:
            for url in urls:
                if url in self._tries:
                    self._tries[url] = 0
                elif len(self._tries) < _MOST_PENDING:
                    self._tries[url] = 0
                    heapq.heappush(self._due, (monotonic(), url))
            if self._due and self._thread is None:
                self._thread = threading.Thread(target=self._work, name="websub", daemon=True)
                self._thread.start()
            self._changed.notify()

    @property
    def pending(self) -> int:
        """How many feeds the hub still has to be pinged for."""
        with self._changed:
            return len(self._tries)

    def close(self, timeout: float = 5.0) -> None:
        """Send the pings that are due, for at most ``timeout`` seconds, and give up the others."""
        with self._changed:
            self._give_up_at = monotonic() + timeout
            thread = self._thread
            self._changed.notify()
        if thread is not None:
            thread.join(timeout)

    def _work(self) -> None:
        while (url := self._next()) is not None:
            wait = self._ping(url)
            with self._changed:
                if wait is None or self._tries[url] >= TRIES:
                    del self._tries[url]
                else:
                    heapq.heappush(self._due, (monotonic() + wait, url))

    def _next(self) -> str | None:
        """Wait for the next ping that is due; None after ``close``."""
        with self._changed:
            while True:
                if self._give_up_at is not None and (
                    not self._due or self._due[0][0] > monotonic() or monotonic() >= self._give_up_at
                ):
                    return None
                if self._due and self._due[0][0] <= monotonic():
                    url = heapq.heappop(self._due)[1]
                    self._tries[url] += 1
                    return url
                self._changed.wait(self._due[0][0] - monotonic() if self._due else None)

    def _ping(self, url: str) -> float | None:
        """Ping once; return after how many seconds to try again, or None when it shall not be tried again."""
        with self._changed:
            fetcher, tries = self._fetcher, self._tries[url]
            request = Request(
                url=self._hub_url,
                method="POST",
                body=urlencode({"hub.mode": "publish", "hub.url": url}).encode(),
                headers=(("Content-Type", "application/x-www-form-urlencoded"),),
                timeout=_TIMEOUT,
                max_size=_LARGEST_ANSWER,
                user_agent=self._user_agent,
            )
        try:
            fetcher.fetch(request)
        except FetchError as error:
            status = error.status or 0
            if 200 <= status < 300:  # 202 and 204 are what hubs answer, and no document
                return None
            is_final = isinstance(error, RefusedAddressError) or (
                400 <= status < 500 and status not in _TEMPORARY_STATUSES
            )
            facts = {"feed": url, "reason": str(error), "tries": tries}
            if is_final or tries >= TRIES:
                log.warning("the hub was not told of a change", extra=facts)
                return None
            log.info("the hub could not be told of a change yet", extra=facts)
            return self._wait(tries, error.retry_at)
        except Exception:
            log.exception("the hub was not told of a change", extra={"feed": url})
        return None

    def _wait(self, tries: int, retry_at: datetime | None) -> float:
        wait = self._first_wait * float(_GROWTH ** (tries - 1)) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        asked = (retry_at - self._now()).total_seconds() if retry_at else 0.0
        return min(max(wait, asked), _LONGEST_WAIT)


def changed_feeds(report: PublishReport, site: Site) -> tuple[str, ...]:
    """Return the public addresses of the feeds that a publish wrote, in every format; archives do not change."""
    paths = (path for path in report.written if path.startswith("feeds/") and path.count("/") == 1)
    return tuple(f"{site.url.rstrip('/')}/{quote(path)}" for path in paths)


class PingAfterPublish:
    """See ``feedhub.runtime.daemon.Observer``. ``hub_of`` returns the hub that a configuration names, if any.

    It has a fetcher of its own, because the last pings are sent after polling has closed its fetchers.
    """

    def __init__(self, hub_of: Callable[[Settings], str | None], *, first_wait: float = _FIRST_WAIT) -> None:
        self._hub_of = hub_of
        self._first_wait = first_wait
        self._site: Site | None = None
        self._fetcher: Fetcher | None = None
        self._pinger: HubPinger | None = None

    def polled(self, report: PollReport) -> None:
        """Do nothing: what was stored is not published yet."""

    def published(self, report: PublishReport) -> None:
        """Ping the hub for the feeds that were written."""
        if self._pinger is not None and self._site is not None:
            self._pinger.notify(changed_feeds(report, self._site))

    def reloaded(self, hub: Hub) -> None:
        """Ping the hub that this configuration names, from now on."""
        settings = hub.settings
        self._site = settings.site
        url, agent, before = self._hub_of(settings), settings.poll.user_agent, self._fetcher
        if url is None:
            self.close()
            return
        # The hub is not a polled host, so that fifty pings need no pauses between them.
        self._fetcher = build_fetcher(replace(settings.poll, host_gap=0.0), now=hub.now)
        if self._pinger is None:
            self._pinger = HubPinger(self._fetcher, url, user_agent=agent, first_wait=self._first_wait, now=hub.now)
        else:
            self._pinger.use(self._fetcher, url, agent)
        if before is not None:
            before.close()

    def misconfigured(self, fault: ConfigFault | None) -> None:
        """Do nothing: the configuration before goes on."""

    def close(self) -> None:
        """Send the pings that are due, and end."""
        if self._pinger is not None:
            self._pinger.close()
        if self._fetcher is not None:
            self._fetcher.close()
        self._pinger = self._fetcher = None
