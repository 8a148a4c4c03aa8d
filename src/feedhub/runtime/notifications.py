"""Tells people of new items and of health events (``notify:``): each at most once.

What a message tells of is noted in the store before it is sent. A refusal takes the note back, so that it is told with
the next message; an end that was not seen does not: the message may have arrived.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.errors import StoreInUseError, UsageError, WorkerError
from feedhub.model.report import Delivered, Delivery, PollReport, PublishReport
from feedhub.model.settings import ConfigFault, NotifyTarget, Settings
from feedhub.pipeline.maintenance import note_outcome
from feedhub.ports.store import Store
from feedhub.rules.digests import day_name, last_end
from feedhub.rules.notices import MOST_LINES, Message, News, Part, digest_part, health_part, message, news_part
from feedhub.rules.select import EPOCH
from feedhub.rules.text import or_nearest
from feedhub.runtime.hub import Hub
from feedhub.runtime.worker_pool import WorkerPool

log = logging.getLogger(__name__)

_SECONDS: Final = 30.0
_MEMORY: Final = 1 << 29
_WAIT_FOR_OTHERS: Final = 1.0
_MOST_EVENTS: Final = 100
_LONGEST_WAIT: Final = timedelta(hours=1)
_MOST_DOUBLINGS: Final = 12
_INTERRUPTED: Final = "was cut off while it was sending, so the message may have arrived"


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What a target was told of: items and health events up to these numbers, digests up to the ends of these days.

    ``tries`` counts refusals in succession, ``wait_until`` is before which nothing is sent; ``is_sending`` says that a
    message was begun.
    """

    items: int
    health: int
    digests: Mapping[str, datetime] = field(default_factory=dict)
    tries: int = 0
    wait_until: datetime | None = None
    is_sending: bool = False

    def written(self) -> str:
        until = self.wait_until and self.wait_until.isoformat()
        digests = {slug: end.isoformat() for slug, end in self.digests.items()}
        return json.dumps([self.items, self.health, digests, self.tries, until, self.is_sending])

    def may_send(self, now: datetime, longest: timedelta) -> bool:
        """Whether it is time; a clock that was set back does not let it wait for longer than ever."""
        return self.wait_until is None or not now < self.wait_until <= now + longest


def _read(text: str) -> _State | None:
    if not text:
        return None
    items, health, digests, tries, until, is_sending = json.loads(text)
    return _State(
        items=items,
        health=health,
        digests={slug: datetime.fromisoformat(end) for slug, end in digests.items()},
        tries=tries,
        wait_until=datetime.fromisoformat(until) if until else None,
        is_sending=is_sending,
    )


@dataclass(slots=True)
class Telling:
    """What came of it: who could not be told, and why; and whether something has to wait."""

    faults: list[tuple[str, str]] = field(default_factory=list)
    is_waiting: bool = False


def notify_of_new(store: Store, settings: Settings, now: datetime) -> Telling:
    """Tell every target of what is new, as far as it is time.

    Raises:
        StoreError: the store cannot be used.
    """
    telling = Telling()
    try:
        with store.task_lock("notify", wait=_WAIT_FOR_OTHERS):
            for target in settings.notify:
                _Teller(store, settings, target, now).tell(telling)
    except StoreInUseError:
        telling.is_waiting = True  # another process tells of it
    return telling


class _Teller:
    """Tells one target."""

    def __init__(self, store: Store, settings: Settings, target: NotifyTarget, now: datetime) -> None:
        self._store = store
        self._settings = settings
        self._target = target
        self._now = now
        self._name = f"notify.{target.name}"
        self._every = timedelta(seconds=target.every)

    def tell(self, telling: Telling) -> None:
        with self._store.transaction() as transaction:
            state = _read(transaction.note(self._name))
        with self._store.snapshot():
            newest = self._newest(state)
            before = state or newest  # for a new target, what was there before is no news
            is_new = (before.items, before.health, before.digests) != (newest.items, newest.health, newest.digests)
            may_send = before.may_send(self._now, max(self._every, _LONGEST_WAIT))
            content = self._message(before, newest) if is_new and may_send else None
        if before.is_sending:
            self._fail(telling, _INTERRUPTED)
        telling.is_waiting = telling.is_waiting or (is_new and not may_send)
        if content is not None:
            self._put(replace(newest, is_sending=True))
            self._send(telling, content, before, newest)
        elif state is None or before.is_sending or (is_new and may_send):
            kept = before if is_new and not may_send else replace(newest, wait_until=before.wait_until)
            self._put(replace(kept, is_sending=False))

    def _message(self, state: _State, newest: _State) -> Message | None:
        """Return what is to be told, None for nothing."""
        store, target, settings = self._store, self._target, self._settings
        sources = {source.name: source for source in settings.sources}
        news = News(target, store.sighted_items(state.items, newest.items, None), settings.rules, sources)
        count = min(newest.health - state.health, _MOST_EVENTS) if target.health else 0
        events = store.health_events(count)[::-1] if count > 0 else ()
        site, titles = settings.site, {each.name: each.title for each in store.states() if each.title}
        parts = [news_part(site, news, titles), *self._digests(state, newest), health_part(site, events, titles)]
        return message(site, parts)

    def _newest(self, state: _State | None) -> _State:
        zone, told = ZoneInfo(self._settings.site.timezone), state.digests if state else {}
        digests = {
            # A clock that was set back makes no day of one that was told.
            one.slug: max(last_end(self._now, one.digest_at, zone), told.get(one.slug, EPOCH))
            for one in self._settings.categories
            if one.slug in self._target.digests and one.digest_at is not None
        }
        return _State(items=self._store.last_item_number(), health=self._store.health_number(), digests=digests)

    def _digests(self, state: _State, newest: _State) -> Iterator[Part]:
        site, store = self._settings.site, self._store
        for category in self._settings.categories:
            slug, end = category.slug, newest.digests.get(category.slug)
            since = state.digests.get(slug)
            if end is not None and since is not None and since < end:
                ids = [version.id for version in store.item_versions(slug, since, end, MOST_LINES)]
                items, count = store.items_by_id(slug, ids), store.count_between(slug, since, end)
                yield digest_part(site, category, day_name(end, ZoneInfo(site.timezone)), items, count)

    def _send(self, telling: Telling, content: Message, before: _State, told: _State) -> None:
        delivery = send(self._target, content, self._settings)
        if delivery.how is Delivered.REFUSED:
            wait = min(self._every * 2**before.tries, _LONGEST_WAIT)
            after = replace(before, tries=min(before.tries + 1, _MOST_DOUBLINGS), is_sending=False)
            self._fail(telling, f"{delivery.reason}; it is tried again")
            telling.is_waiting = True
        else:
            wait, after = self._every, told
            if delivery.how is Delivered.UNKNOWN:
                self._fail(telling, f"{delivery.reason}; it is not sent again")
        self._put(replace(after, wait_until=self._now + wait), ended_well=delivery.how is Delivered.SENT)

    def _fail(self, telling: Telling, fault: str) -> None:
        telling.faults.append((self._name, fault))
        with self._store.transaction() as transaction:
            note_outcome(transaction, self._name, fault, f"what is new was not told: {fault}", self._now)

    def _put(self, state: _State, *, ended_well: bool = False) -> None:
        with self._store.transaction() as transaction:
            transaction.set_note(self._name, state.written())
            if ended_well:
                note_outcome(transaction, self._name, "", "what is new is told again", self._now)


def send(target: NotifyTarget, content: Message, settings: Settings) -> Delivery:
    """Send a message to a target, in a process of its own that is ended after half a minute."""
    if not find_spec("apprise"):
        return Delivery(how=Delivered.REFUSED, reason="the extra notify is not installed (docs/notifications.md)")
    # A second attempt could be a second message.
    with closing(WorkerPool(workers=1, timeout=_SECONDS, memory=_MEMORY, attempts=1)) as pool:
        try:
            return pool.run(_deliver, target.to, content.title, content.body, settings.poll.allow_private)
        except WorkerError as error:
            return Delivery(how=Delivered.UNKNOWN, reason=f"no end was seen: {error}")


def _deliver(address: str, title: str, body: str, allow_private: tuple[str, ...]) -> Delivery:
    from feedhub.fetch.notices import deliver

    return deliver(address, title, body, allow_private)


def send_test(settings: Settings, names: tuple[str, ...]) -> Iterator[tuple[str, Delivery]]:
    """Send a message to the named targets, or to all; yield how each ended.

    Raises:
        UsageError: there is no target of a name, or none at all.
    """
    known = {target.name: target for target in settings.notify}
    for name in names or known:
        if name not in known:
            raise UsageError(f'notify names no "{name}"' + or_nearest(name, list(known)))
    if not known:
        raise UsageError("the configuration has no `notify:`; docs/notifications.md tells how")
    content = Message(title=f"{settings.site.title}: test", body="This is what messages of feedhub look like.")
    for name in names or known:
        yield name, send(known[name], content, settings)


class NotifyAfterPublish:
    """See ``feedhub.runtime.daemon.Observer``. Tells of what is new in a thread, once it is published.

    What has to wait is looked at every ``pause`` seconds.
    """

    def __init__(self, masked: Callable[[str], str], *, pause: float = 5.0) -> None:
        self._masked = masked
        self._pause = pause
        self._hub: Hub | None = None
        self._changed = threading.Condition()
        self._is_due = False
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def polled(self, report: PollReport) -> None:
        """Do nothing: what was stored is not published yet."""

    def published(self, report: PublishReport) -> None:
        """Tell of what is new soon."""
        if self._hub is None or not self._hub.settings.notify:
            return
        with self._changed:
            self._is_due = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="notify", daemon=True)
                self._thread.start()
            self._changed.notify()

    def reloaded(self, hub: Hub) -> None:
        """Tell whom this configuration names, from now on."""
        self._hub = hub

    def misconfigured(self, fault: ConfigFault | None) -> None:
        """Do nothing: the configuration before goes on."""

    def close(self, timeout: float = 5.0) -> None:
        """Let a message under way end for a short time."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self) -> None:
        is_waiting = False
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_due or self._is_closed, self._pause if is_waiting else None)
                hub, self._is_due = self._hub, False
                if self._is_closed or hub is None:
                    return
            is_waiting = self._tell(hub)

    def _tell(self, hub: Hub) -> bool:
        """Tell of what is new; return whether something has to wait."""
        try:
            telling = notify_of_new(hub.store, hub.settings, hub.now())
        except Exception as error:  # whatever it is, it must not end the thread
            log.debug("telling of what is new failed unexpectedly", exc_info=True)
            log.error("telling of what is new failed", extra={"reason": self._masked(str(error))})
            return True
        for name, fault in telling.faults:
            log.error("telling of what is new failed", extra={"who": name, "reason": self._masked(fault)})
        return telling.is_waiting
