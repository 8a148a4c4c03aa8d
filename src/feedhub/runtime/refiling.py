"""Rules over what is stored: filing it anew when a configuration was taken up; trying other rules."""

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Final

from feedhub.errors import StoreError, UsageError
from feedhub.model.report import RulesTrial
from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.ports.store import Store
from feedhub.rules.trial import EXAMPLES, RuleTrials
from feedhub.runtime.worker_pool import WorkerPool
from feedhub.store.sql import open_store

if TYPE_CHECKING:
    from feedhub.runtime.hub import Hub

log = logging.getLogger(__name__)

_ONE_PROCESS: Final = 3_000
"""Up to so many items are tried in this process: starting another takes as long."""
_PART: Final = 2_000
_MOST_EXAMPLES: Final = 20
_TIMEOUT: Final = 3_600.0
_MOST_WORKERS: Final = 8


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


def try_rules(
    store: Store,
    settings: Settings,
    *,
    since: datetime | None = None,
    rule: str | None = None,
    one_process: int = _ONE_PROCESS,
    size: int = _PART,
) -> RulesTrial:
    """Return what the rules of ``settings`` would make of what is stored, beside what is published now.

    All cores try them, and nothing is written.

    ``since``: only of items met since then. ``rule``: only of that one, with more examples. More items than
    ``one_process`` are tried in several, ``size`` items at a time.

    Raises:
        UsageError: no rule has that name.
    """
    if rule is not None and rule not in {one.name for one in settings.rules}:
        raise UsageError(f'no rule "{rule}"; there are: {", ".join(one.name for one in settings.rules) or "none"}')
    configured = {source.name for source in settings.sources}
    sources = (*settings.sources, *store.departed_sources(configured))
    most = EXAMPLES if rule is None else _MOST_EXAMPLES
    last = store.last_item_number()
    trials = RuleTrials(settings.rules, most=most)
    titles = {category.title: category.slug for category in store.categories()}
    parts = [(first, min(first + size, last)) for first in range(0, last, size)]
    if last <= one_process:
        trials.merge(_tried(store, settings, sources, titles, parts, since, most))
    else:
        slim = replace(settings, sources=sources, secrets=())
        for tried in _in_processes(slim, titles, parts, since, most):
            trials.merge(tried)
    found = trials.result()
    return found if rule is None else replace(found, rules=tuple(one for one in found.rules if one.name == rule))


def _in_processes(
    settings: Settings, titles: dict[str, str], parts: list[tuple[int, int]], since: datetime | None, most: int
) -> Iterator[RuleTrials]:
    workers = min(os.cpu_count() or 1, _MOST_WORKERS)
    # Each has every so-many-eth part, since old items may be longer than new ones.
    shares = [parts[number::workers] for number in range(workers)]
    pool = WorkerPool(workers=workers, timeout=_TIMEOUT)
    try:
        with ThreadPoolExecutor(workers) as threads:
            yield from threads.map(lambda share: pool.run(try_parts, settings, titles, share, since, most), shares)
    finally:
        pool.close()


def try_parts(
    settings: Settings, titles: dict[str, str], parts: list[tuple[int, int]], since: datetime | None, most: int
) -> RuleTrials:
    """Try rules on the items of some numbers; runs in a worker process."""
    store = open_store(settings.store, may_make=False)
    try:
        return _tried(store, settings, settings.sources, titles, parts, since, most)
    finally:
        store.close()


def _tried(
    store: Store,
    settings: Settings,
    sources: tuple[Source, ...],
    titles: dict[str, str],
    parts: list[tuple[int, int]],
    since: datetime | None,
    most: int,
) -> RuleTrials:
    from feedhub.sources.markup import HtmlCleaner

    trials, by_name = RuleTrials(settings.rules, most=most), {source.name: source for source in sources}
    clean_again = HtmlCleaner().clean_again
    for part in parts:
        for item in store.sighted_items(*part, since):
            trials.add(item, by_name, titles, clean_again)
    return trials
