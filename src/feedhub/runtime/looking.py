"""What the web server asks of a running feedhub, read from its store; nothing here polls or writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from feedhub.model.report import HubStatus, SearchHit
from feedhub.model.settings import Settings
from feedhub.ports.store import Store
from feedhub.publish.search_feed import search_feed
from feedhub.rules.vitals import complaints

DAYS: Final = 30
"""Days of the series that ``/status`` draws."""
FEED_ENTRIES: Final = 50
_MOST_COUNTED: Final = 1_000


class Looked(Protocol):
    """A hub as far as it is looked at. Its parts may be exchanged by a reload: they are asked for each time."""

    @property
    def settings(self) -> Settings:
        """The present settings."""
        ...

    @property
    def store(self) -> Store:
        """The store."""
        ...

    @property
    def now(self) -> Callable[[], datetime]:
        """Return what gives the present instant, aware UTC."""
        ...

    def status(self) -> HubStatus:
        """Describe every source and category."""
        ...

    def search(self, query: str, limit: int) -> tuple[SearchHit, ...]:
        """Search stored items, best first."""
        ...


class LiveHub:
    """The hub that is at work now; a reload puts another one into ``hub``."""

    def __init__(self, hub: Looked) -> None:
        self.hub = hub

    @property
    def settings(self) -> Settings:
        """See ``Looked``."""
        return self.hub.settings

    @property
    def store(self) -> Store:
        """See ``Looked``."""
        return self.hub.store

    @property
    def now(self) -> Callable[[], datetime]:
        """See ``Looked``."""
        return self.hub.now

    def status(self) -> HubStatus:
        """See ``Looked``."""
        return self.hub.status()

    def search(self, query: str, limit: int) -> tuple[SearchHit, ...]:
        """See ``Looked``."""
        return self.hub.search(query, limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of a search. ``total`` counts no further than ``most``."""

    hits: tuple[SearchHit, ...]
    total: int
    most: int = _MOST_COUNTED


def daily_series(hub: Looked) -> Mapping[str, tuple[int, ...]]:
    """Return per source its new items of each of the last ``DAYS`` times 24 hours, oldest first."""
    return hub.store.daily(hub.now() - timedelta(days=DAYS), DAYS)


def found(hub: Looked, query: str, first: int, count: int) -> Found:
    """Return ``count`` hits from number ``first`` on (from 0), and how many there are."""
    hits = hub.search(query, first + count)[first:]
    return Found(hits=hits, total=hub.store.count_found(query, _MOST_COUNTED) if hits or first else 0)


def found_feed(hub: Looked, query: str) -> bytes:
    """Return the feed of a search.

    Raises:
        PublishError: it cannot be written.
    """
    settings = hub.settings
    return search_feed(
        query,
        settings.site,
        settings.output,
        hub.store.found(query, FEED_ENTRIES),
        addresses={source.name: source.url for source in settings.sources},
        secrets=settings.secrets,
    )


def vitals(hub: Looked) -> tuple[str, ...]:
    """Return what is wrong with polling as a whole; reading the store is the proof that it can be read."""
    states = {state.name: state for state in hub.store.states()}
    return complaints(hub.settings.sources, states, hub.settings.poll.every, hub.now())
