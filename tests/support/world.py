"""A whole small feedhub for tests of the pipeline: scripted answers, a real store, a clock that is set."""

import hashlib
import shutil
import weakref
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

from feedhub.errors import PollError
from feedhub.model.document import Document, Freshness, NotModified, Redirect, Request, Validators
from feedhub.model.item import Detail, Item, Markup, ParsedFeed, ParsedItem
from feedhub.model.output import Category, OutputSettings, Retention, Site
from feedhub.model.report import PollReport
from feedhub.model.settings import Settings
from feedhub.model.source import PollSettings, Rule, Source, SourceState
from feedhub.pipeline.fetch import FetchContext, Fetched, fetch_source
from feedhub.pipeline.ingest import IngestContext, store_poll
from feedhub.pipeline.maintenance import refile
from feedhub.ports.store import Store
from support.derived_data import check_derived_data
from support.stores import RAM_DISK, store_at

START = datetime(2024, 5, 1, 8, tzinfo=UTC)


@dataclass(slots=True)
class Answer:
    """What a source's server says next."""

    records: tuple[ParsedItem, ...] = ()
    body: bytes | None = None
    error: PollError | None = None
    parse_error: PollError | None = None
    not_modified: bool = False
    freshness: Freshness = Freshness()
    etag: str | None = None
    redirects: tuple[Redirect, ...] = ()
    feed: ParsedFeed | None = None
    detail: Detail | None = None
    headers: tuple[tuple[str, str], ...] = ()


class FakeFetcher:
    """Gives the scripted answer of each address and keeps the requests."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []

    def fetch(self, request: Request) -> Document | NotModified:
        self.requests.append(request)
        answer = self.answers[request.url]
        if answer.error:
            raise answer.error
        validators = Validators(etag=answer.etag)
        if answer.not_modified:
            return NotModified(url=request.url, validators=validators, freshness=answer.freshness)
        body = repr(answer.records).encode() if answer.body is None else answer.body
        return Document(
            url=request.url,
            body=body,
            digest=hashlib.sha256(body).hexdigest(),
            validators=validators,
            freshness=answer.freshness,
            redirects=answer.redirects,
            headers=answer.headers,
        )

    def close(self) -> None:
        pass


class FakeParser:
    """Gives the scripted records and counts how often it was asked."""

    def __init__(self, fetcher: FakeFetcher) -> None:
        self.fetcher = fetcher
        self.parsed = 0

    def parse(self, document: Document, source: Source) -> ParsedFeed:
        self.parsed += 1
        answer = self.fetcher.answers[document.url]
        if answer.parse_error:
            raise answer.parse_error
        return answer.feed or ParsedFeed(title=f"Feed of {source.name}", items=answer.records)

    def detail(self, document: Document, source: Source) -> Detail:
        answer = self.fetcher.answers[document.url]
        if answer.parse_error:
            raise answer.parse_error
        return answer.detail or Detail(content=Markup(value=document.body.decode()))

    def close(self) -> None:
        pass


class PlainCleaner:
    """Keeps text as it is and counts how many items it was given."""

    def __init__(self) -> None:
        self.cleaned = 0

    def clean(self, parsed: ParsedItem, source: Source) -> Item:
        self.cleaned += 1
        return Item(
            title=parsed.title,
            guid=parsed.guid,
            link=parsed.link,
            content=parsed.content.value if parsed.content else None,
            tags=parsed.tags,
            authors=parsed.authors,
            published_at=parsed.published_at,
        )

    def clean_again(self, markup: str, item: Item, source: Source) -> str | None:
        return markup or None


def _discard(store: Store, folder: str) -> None:
    store.close()
    shutil.rmtree(folder)


@dataclass(slots=True, weakref_slot=True)
class World:
    """Sources, their servers, the store, and the time. A store that is not given is made, and goes with the world."""

    sources: tuple[Source, ...]
    rules: tuple[Rule, ...] = ()
    retention: Retention = Retention()
    now: datetime = START
    fetcher: FakeFetcher = field(default_factory=FakeFetcher)
    store: Store = None  # type: ignore[assignment]
    cleaner: PlainCleaner = field(default_factory=PlainCleaner)
    parser: FakeParser = field(init=False)
    place: Path = field(init=False, default=Path("/nowhere"))

    def __post_init__(self) -> None:
        self.parser = FakeParser(self.fetcher)
        if self.store is None:
            folder = mkdtemp(prefix="feedhub-", dir=RAM_DISK)
            self.place = Path(folder) / "feedhub.db"
            self.store = store_at(self.place)
            weakref.finalize(self, _discard, self.store, folder)
        self.store.sync_categories(self.settings.categories, self.now)

    @property
    def settings(self) -> Settings:
        slugs = dict.fromkeys(slug for source in self.sources for slug in source.categories)
        slugs.update(dict.fromkeys(slug for rule in self.rules for slug in rule.categories))
        return Settings(
            root="/",
            files=(),
            site=Site(title="Site", url="https://site.example", timezone="Asia/Shanghai"),
            store="",
            output=OutputSettings(dir="/nowhere"),
            poll=PollSettings(),
            retention=self.retention,
            categories=tuple(Category(slug=slug, title=slug.title()) for slug in slugs),
            sources=self.sources,
            rules=self.rules,
            rules_digest="rules",
            output_digest=" ".join(slugs),
        )

    def answer(self, name: str, *records: ParsedItem, **more: object) -> None:
        """Script what the source's server says from now on."""
        source = next(source for source in self.sources if source.name == name)
        placed = tuple(replace(one, position=number) for number, one in enumerate(records))
        self.fetcher.answers[source.url] = Answer(records=placed, **more)  # type: ignore[arg-type]

    def poll(self, name: str) -> PollReport:
        """Poll one source now."""
        source = next(source for source in self.sources if source.name == name)
        with self.store.transaction() as transaction:
            state = transaction.state(name)
        return self.keep(fetch_source(source, state, context=self.fetch_context, now=self.now))

    def keep(self, fetched: Fetched, *, is_offline: bool = False) -> PollReport:
        """Store what was fetched."""
        context = IngestContext(
            settings=self.settings,
            store=self.store,
            cleaner=self.cleaner,
            scheduled=lambda source, now: now + timedelta(days=2) if source.schedule else None,
        )
        with self.store.transaction() as transaction:
            return store_poll(transaction, fetched, context, now=self.now, is_offline=is_offline).report

    def refile(self, digest: str) -> int:
        """File what is stored by the rules as they are now; return how many transactions that took."""
        self.store.sync_categories(self.settings.categories, self.now)
        settings = replace(self.settings, rules_digest=digest)
        steps = len(list(refile(self.store, settings, self.cleaner, self.now)))
        check_derived_data(self.place)
        return steps

    @property
    def fetch_context(self) -> FetchContext:
        return FetchContext(
            fetcher=self.fetcher,
            parser=self.parser,
            cleaner=self.cleaner,
            known=self.store.known_keys,
            rules=self.rules,
            site_url=self.settings.site.url,
        )

    def pass_time(self, **delta: float) -> None:
        """Move the clock."""
        self.now += timedelta(**delta)

    def titles(self, slug: str) -> list[str]:
        """The titles an output shows, newest first."""
        return [stored.item.title for stored in self.store.newest(slug, 100)]

    def state(self, name: str) -> SourceState:
        """What is remembered of a source."""
        return next(state for state in self.store.states() if state.name == name)
