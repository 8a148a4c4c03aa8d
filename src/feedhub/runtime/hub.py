"""The composition root: feedhub at work on one configuration, with all its parts."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from feedhub.errors import NoStoreError, UsageError
from feedhub.model.identity import IdentityKey, KnownKeys, OfferedRecord
from feedhub.model.report import (
    Explanation,
    HubStatus,
    PollReport,
    PollRun,
    Preview,
    PruneReport,
    PublishReport,
)
from feedhub.model.settings import Settings
from feedhub.model.source import PlannedPoll, Source, SourceState
from feedhub.rules.pacing import first_poll_at, host_key, is_due, replanned_at, usual_interval
from feedhub.rules.text import or_nearest
from feedhub.store.status import answer_of_sqlite

if TYPE_CHECKING:
    from feedhub.fetch.fetcher import SchemeFetcher, SharedParts
    from feedhub.pipeline.fetch import FetchContext, Fetched
    from feedhub.ports.store import Store
    from feedhub.publish.jekyll import RendersPosts
    from feedhub.publish.templating import PageTemplates
    from feedhub.rules.explain import PairAnswer
    from feedhub.runtime.poller import Ingester
    from feedhub.runtime.publisher import OutputPublisher
    from feedhub.runtime.rendering import LimitedTemplates
    from feedhub.runtime.worker_pool import ParsePool
    from feedhub.sources.feed.discover import DiscoveredFeed
    from feedhub.sources.markup import HtmlCleaner

log = logging.getLogger(__name__)

# What fetches, reads, decides and renders is imported when it is needed: `status` needs none of it.
_SHARED: Final = ("store", "parser", "templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds that feedhub waits where no configuration says how long."""

    writer: float = 10.0
    """For another writer of the store, before a statement fails."""
    other_publisher: float = 10.0
    """For another process that publishes, before publishing fails."""
    tick: float = 1.0
    """From one check which sources are due to the next."""
    publish: float = 2.0
    """After publishing, until the daemon publishes again."""
    refiling: float = 30.0
    """After publishing, until the daemon publishes again while stored items are filed anew."""
    publish_retry: float = 4.0
    """After publishing failed; twice as long after each further failure."""
    store_retry: float = 1.0
    """After the store could not be used; twice as long after each further failure."""
    hub_retry: float = 5.0
    """After a WebSub hub could not be told of a change; four times as long after each further failure."""
    probe: float = 15.0
    """From one poll to the next while no source can be reached."""
    takeover: float = 10.0
    """After the last sign of life of a worker, until others take over; twice as often jobs are handed out."""
    grace: float = 8.0
    """For polls under way when the daemon is told to stop."""
    last_publish: float = 15.0
    """For publishing what was stored when the daemon stops. With ``grace`` well below the thirty of SPEC §7."""


def utc_now() -> datetime:
    """Return the present instant, aware UTC."""
    return datetime.now(UTC)


class Hub:
    """feedhub at work on one configuration. Use as a context manager; parts are built when first needed."""

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], datetime] = utc_now,
        waits: Waits | None = None,
        makes_store: bool = True,
    ) -> None:
        self.settings = settings
        self._makes_store = makes_store
        self.now = now
        self.waits = waits or Waits()
        self._of_fetcher: SharedParts | None = None

    def reconfigured(self, settings: Settings) -> "Hub":
        """Return a hub on a new configuration that shares store, workers and limits per host with this one.

        Close this one by ``retire``, once its last fetch has ended.
        """
        hub = Hub(replace(settings, store=self.settings.store), now=self.now, waits=self.waits)
        hub._of_fetcher = self.fetcher.shared
        hub.__dict__.update({part: getattr(self, part) for part in _SHARED})
        return hub

    def retire(self) -> None:
        """Close the parts that are not shared with the hub that ``reconfigured`` returned."""
        if "fetcher" in self.__dict__:
            self.fetcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in ("fetcher", "parser", "templates", "store"):
            if part in self.__dict__:
                self.__dict__[part].close()

    @cached_property
    def store(self) -> "Store":
        """The store, opened and brought to the current schema.

        Raises:
            NoStoreError: there is none, and this hub makes none.
            StoreError: it cannot be used.
        """
        from feedhub.store.sql import open_store

        return open_store(self.settings.store, busy_timeout=self.waits.writer, may_make=self._makes_store)

    @cached_property
    def fetcher(self) -> "SchemeFetcher":
        """The one fetcher, so that all sources share connections and limits per host."""
        from feedhub.fetch.fetcher import build_fetcher

        return build_fetcher(self.settings.poll, now=self.now, shared=self._of_fetcher)

    @cached_property
    def parser(self) -> "ParsePool":
        """Worker processes that read documents."""
        from feedhub.runtime.worker_pool import ParsePool

        return ParsePool()

    @cached_property
    def _outputs(self) -> "OutputPublisher":
        from feedhub.runtime.publisher import OutputPublisher

        wait, make = self.waits.other_publisher, (self.page_templates, self.post_template)
        return OutputPublisher(self.settings, *make, longest_wait=wait, workers=lambda: self.parser.run)

    @cached_property
    def templates(self) -> "LimitedTemplates":
        """What renders templates of the owner."""
        from feedhub.runtime.rendering import LimitedTemplates

        return LimitedTemplates()

    def page_templates(self, own: Sequence[tuple[str, str]], added: Mapping[str, str]) -> "PageTemplates":
        """Return the templates of a site; with templates of the owner they are rendered under limits."""
        from feedhub.publish.templating import PageTemplates

        is_ours = not any(name.endswith(".html") for name, _ in own)
        return PageTemplates(own, added) if is_ours else self.templates.page(own, added)

    def post_template(self, text: str) -> "RendersPosts":
        """Return the owner's template of posts.

        Raises:
            PublishError: it cannot be used.
        """
        return self.templates.post(text)

    def poll(
        self,
        names: Sequence[str] = (),
        *,
        everything: bool = False,
        and_publish: bool = True,
        on_start: Callable[[int], None] = lambda _: None,
        on_report: Callable[[PollReport], None] = lambda _: None,
    ) -> PollRun:
        """Poll what is due, or the named sources, or all; store it; publish what changed.

        Raises:
            UsageError: a name that no source has.
            StoreError: the store cannot be used; what was stored before stays.
        """
        from feedhub.runtime.poller import poll_all

        states = self.sync()
        chosen = self._chosen(names, states, everything=everything)
        on_start(len(chosen))
        reports = poll_all(
            chosen,
            fetch=lambda source: self.fetch(source, states.get(source.name, SourceState(name=source.name))),
            ingest=self.ingester.ingest_all,
            settings=self.settings.poll,
            on_report=on_report,
        )
        published = self.publish_due() if and_publish else None
        return PollRun(
            reports=reports,
            published=published,
            not_due=0 if names else len(self.settings.sources) - len(chosen),
            next_due_at=self._next_due_at(),
        )

    def publish(self, slugs: Sequence[str] = ()) -> PublishReport:
        """Rebuild all outputs, or those of the named categories, from the store.

        Raises:
            UsageError: a category that does not exist.
        """
        self.sync()
        present = {category.slug for category in self.store.categories()} | {"all"}
        unknown = [slug for slug in slugs if slug not in present]
        if unknown:
            raise UsageError(f'no category "{unknown[0]}"; there are: {", ".join(sorted(present))}')
        return self._passed_on(self._outputs.publish(self.store, self.now(), slugs=slugs, everything=not slugs))

    def publish_due(self) -> PublishReport:
        """Write the outputs that changed since they were published, and run what is to be run after that."""
        return self._passed_on(self.write_due())

    def write_due(self) -> PublishReport:
        """Write the outputs that changed; raises FolderInUseError while another process publishes."""
        return self._outputs.publish(self.store, self.now())

    def _passed_on(self, report: PublishReport) -> PublishReport:
        if self.settings.after is None and not self.settings.notify:
            return report
        from feedhub.runtime.after_publish import passed_on

        return passed_on(report, self.store, self.settings, self.now())

    def fetch(self, source: Source, state: SourceState) -> "Fetched":
        """Fetch and read one source; store nothing. Safe to call from many threads."""
        from feedhub.pipeline.fetch import Fetched, fetch_source

        held_until = self.ingester.held_until(source)
        if held_until:
            return Fetched(source=source, held_until=held_until)
        return fetch_source(source, state, context=self._fetch_context, now=self.now())

    def prune(self) -> PruneReport:
        """Apply retention now."""
        from feedhub.pipeline.maintenance import prune

        self.sync()
        return prune(self.store, self.settings, self.now())

    def status(self) -> HubStatus:
        """Describe every source and category, also where there is no store yet; start no poll."""
        from feedhub.runtime.status import status_of

        found = None
        if "store" not in self.__dict__:
            found = answer_of_sqlite(self.settings.store, lambda reader: status_of(reader, self.settings, self.now()))
        try:
            return found or status_of(self.store, self.settings, self.now())
        except NoStoreError as error:
            return status_of(None, self.settings, self.now(), no_store=str(error))

    def states(self) -> tuple[SourceState, ...]:
        """Return what is remembered of sources; nothing where there is no store yet."""
        try:
            return self.store.states()
        except NoStoreError:
            return ()

    def explain(self, ref: str) -> tuple[Explanation, ...]:
        """Return all that is known of a URL, a named key (infoCode), an item id, an own page, or words of a title."""
        from feedhub.runtime.inspection import explain

        return explain(ref, self.store, self.settings)

    def explain_pair(self, one: Explanation, other: Explanation) -> "PairAnswer":
        """Say why two of what ``explain`` returned are one item, or two."""
        from feedhub.rules.explain import explain_pair

        sources = {source.name: source for source in self.settings.sources}
        changing = {state.name: state.changing for state in self.store.states()}
        return explain_pair(one, other, sources=sources, changing=changing)

    def hide(self, ref: str, reason: str = "") -> Explanation:
        """Hide the item that ``ref`` names, as ``explain`` understands it; words of a title do not do.

        Raises:
            UsageError: it names no stored item or several, or one that is hidden.
        """
        one, item_id = self.named_item(ref)
        if not self.store.hide(item_id, reason, self.now()):
            raise UsageError(f"{ref} is hidden already")
        return one

    def unhide(self, ref: str) -> Explanation:
        """Show a hidden item again.

        Raises:
            UsageError: ``ref`` names no stored item or several, or one that is not hidden.
        """
        one, item_id = self.named_item(ref)
        if not self.store.unhide(item_id, self.now()):
            raise UsageError(f"{ref} is not hidden")
        return one

    def forget(self, source: str) -> int:
        """Delete for good what a source said of its items; return of how many.

        Raises:
            UsageError: the store does not know the source.
        """
        count = self.store.forget(source, self.now())
        if count is None:
            names = {*(state.name for state in self.store.states()), *(one.name for one in self.settings.sources)}
            raise UsageError(f'no source "{source}" is in the store' + or_nearest(source, sorted(names)))
        return count

    def named_item(self, ref: str) -> tuple[Explanation, str]:
        """Return the one stored item that ``ref`` names, with its id; a UsageError if it names none, or several."""
        found = [(one, one.item_id) for one in self.explain(ref) if one.item_id is not None and not one.by_title]
        if not found:
            raise UsageError(f"no stored item is named {ref}; give its link, its id, or the address of its page")
        if len(found) > 1:
            ids = ", ".join(item_id for _, item_id in found)
            raise UsageError(f"{ref} names {len(found)} items; give the id of one: {ids}")
        return found[0]

    def preview(self, target: str, limit: int) -> Preview:
        """Return what a source (by name) or an address would give; nothing is stored.

        Raises:
            PollError: what a poll would fail with.
            UsageError: neither the name of a source nor an http(s) address.
        """
        from feedhub.runtime.inspection import adhoc_source, preview_source

        known = next((source for source in self.settings.sources if source.name == target), None)
        source = known or adhoc_source(target, self.settings)
        return preview_source(source, context=self._fetch_context, parser=self.parser, limit=limit, now=self.now())

    def discover(self, url: str) -> "tuple[DiscoveredFeed, ...]":
        """Return the feeds a page offers.

        Raises:
            PollError: the page cannot be fetched.
            UsageError: not an http(s) address.
        """
        from feedhub.runtime.inspection import discover

        return discover(url, self.settings, fetcher=self.fetcher, parser=self.parser, now=self.now())

    def source(self, name: str) -> Source:
        """Return the source of that name.

        Raises:
            UsageError: there is none; names the nearest.
        """
        found = next((source for source in self.settings.sources if source.name == name), None)
        if found is None:
            raise UsageError(
                f'no source "{name}"' + or_nearest(name, [source.name for source in self.settings.sources])
            )
        return found

    def sync(self) -> dict[str, SourceState]:
        """Bring the store in line with the configuration: categories, and what the rules make of stored items.

        Return what is remembered of sources, by name.
        """
        states = self.sync_categories()
        for _ in self.refiling():
            pass
        return states

    def sync_categories(self) -> dict[str, SourceState]:
        """Bring categories and the titles of sources in line with the configuration; return their states by name."""
        from feedhub.pipeline.maintenance import retitle, tell_stories

        settings = self.settings
        from_records = any(source.category_map for source in settings.sources)
        now = self.now()
        self.store.sync_categories(settings.categories, now, from_records=from_records)
        tell_stories(self.store, settings, now)
        return retitle(self.store, settings.sources)

    def refiling(self) -> Iterator[None]:
        """File stored items by the present rules, and yield after each transaction.

        Nothing happens where that is so.
        """
        from feedhub.pipeline.maintenance import refile

        for source, warnings in refile(self.store, self.settings, self._cleaner, self.now()):
            for warning in warnings:
                log.warning("%s: %s", source.name, warning)
            yield

    def plan_polls(self, *, set_by: float = 0.0) -> None:
        """Store when each source is due: new ones spread out from now on, others when they were.

        ``set_by``: by how many seconds the clock was set just now.
        """
        now, settings = self.now(), self.settings.poll
        states = {state.name: state for state in self.store.states()}
        planned: list[PlannedPoll] = []
        new = 0
        for source in self.settings.sources:
            if source.paused:
                continue
            state = states.get(source.name)
            if state is None or (state.last_poll_at is None and state.next_poll_at is None):
                at: datetime | None = first_poll_at(now, position=new, interval=usual_interval(source, settings))
                new += 1
            else:
                cron = self.scheduled(source, now)
                at = replanned_at(source, state, now=now, scheduled=cron, settings=settings, set_by=set_by)
            planned.append(PlannedPoll(name=source.name, host=host_key(source.url, settings), at=at))
        self.store.plan_polls(planned)

    def scheduled(self, source: Source, now: datetime) -> datetime | None:
        """Return when a source's cron expression is due next, aware UTC; None for a source without one."""
        if not source.schedule:
            return None
        from feedhub.runtime.scheduler import next_cron_time

        return next_cron_time(source.schedule, self.settings.site.timezone, now)

    def _chosen(self, names: Sequence[str], states: dict[str, SourceState], *, everything: bool) -> tuple[Source, ...]:
        if names:
            wanted = {self.source(name).name for name in names}
            return tuple(source for source in self.settings.sources if source.name in wanted)
        now = self.now()
        return tuple(
            source
            for source in self.settings.sources
            if (everything and not source.paused) or is_due(source, states.get(source.name), now)
        )

    @cached_property
    def _fetch_context(self) -> "FetchContext":
        from feedhub.pipeline.fetch import FetchContext
        from feedhub.runtime.plugins import Signers

        return FetchContext(
            fetcher=self.fetcher,
            parser=self.parser,
            cleaner=self._cleaner,
            known=self._known_keys,
            offered_texts=self._offered_texts,
            offered_records=self._offered_records,
            sketched=self.settings.stories is not None,
            rules=self.settings.rules,
            site_url=self.settings.site.url,
            sign=Signers(self.settings.sources).sign,
        )

    # A preview asks nothing of the store, so that it is opened only when a poll does.

    def _known_keys(self, source: str, keys: Sequence[IdentityKey]) -> KnownKeys:
        return self.store.known_keys(source, keys)

    def _offered_texts(self, source: str) -> frozenset[str]:
        return self.store.offered_texts(source)

    def _offered_records(self, source: str) -> Mapping[int, OfferedRecord]:
        return self.store.offered_records(source)

    @cached_property
    def ingester(self) -> "Ingester":
        """The part that stores what was fetched."""
        from feedhub.pipeline.ingest import IngestContext
        from feedhub.runtime.poller import Ingester

        context = IngestContext(
            settings=self.settings, store=self.store, cleaner=self._cleaner, scheduled=self.scheduled
        )
        return Ingester(context, now=self.now)

    @cached_property
    def _cleaner(self) -> "HtmlCleaner":
        from feedhub.sources.markup import HtmlCleaner

        return HtmlCleaner()

    def _next_due_at(self) -> datetime | None:
        times = self.store.next_polls()
        names = (source.name for source in self.settings.sources if not source.paused)
        return min((times[name] for name in names if name in times), default=None)
