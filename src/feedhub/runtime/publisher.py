"""Everything that writes into the output folder, and when the daemon publishes."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cached_property
from importlib.metadata import version
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from feedhub.errors import PublishError, StoreError
from feedhub.model.output import PostSettings
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.model.source import Health, SourceState
from feedhub.pipeline.outputs import PublishContext
from feedhub.pipeline.publish import publish
from feedhub.pipeline.state import Publishing
from feedhub.ports.publishing import PageRenderer
from feedhub.ports.store import Store
from feedhub.publish.addresses import SitePaths
from feedhub.publish.entry import EntryCache
from feedhub.publish.files import FolderWriter
from feedhub.publish.formats import ATOM_FORMAT, FormatRenderer, renderers
from feedhub.publish.index import FeedIndex
from feedhub.publish.templating import MakeTemplates
from feedhub.rules.digests import day_end
from feedhub.rules.health import health_of
from feedhub.runtime.plugins import added_formats

if TYPE_CHECKING:
    from feedhub.pipeline.posts import PostContext
    from feedhub.pipeline.stories import StoryTeller
    from feedhub.publish.jekyll import RendersPosts
    from feedhub.publish.many_pages import Workers

log = logging.getLogger(__name__)


class OutputPublisher:
    """Writes the feeds, their index and pages, and Jekyll posts where they are configured.

    ``page_templates`` and ``post_template`` make what renders templates of the owner; for ``longest_wait`` seconds
    another process may be publishing into the folder; ``workers`` make pages of many items.
    """

    def __init__(
        self,
        settings: Settings,
        page_templates: MakeTemplates,
        post_template: "Callable[[str], RendersPosts]",
        *,
        longest_wait: float,
        workers: "Callable[[], Workers] | None" = None,
    ) -> None:
        self._settings = settings
        self._post_template = post_template
        self._cache = EntryCache()
        pages = _page_renderer(settings, page_templates, self._cache, workers) if settings.output.pages else None
        self._context = PublishContext(
            renderers=renderers(settings.output.formats, self._cache, added_formats(settings.output.formats)),
            index=FeedIndex(settings.site, settings.output.formats, has_pages=settings.output.pages),
            writer=FolderWriter(settings.output.dir, longest_wait=longest_wait),
            page_paths=SitePaths(settings.site),
            pages=pages,
            health_feed=FormatRenderer(ATOM_FORMAT),
            publish_posts=self._publish_posts if settings.posts else None,
            version=version("feedhub"),
        )

    def publish(
        self, store: Store, now: datetime, *, slugs: Collection[str] = (), everything: bool = False
    ) -> PublishReport:
        """Write what changed, or the named outputs (posts belong to none), or all."""
        if self._teller is None:
            store.name_reports(by_event=None)
        else:
            self._teller.decide(store)
        try:
            states = {state.name: state for state in store.states()} if self._settings.output.pages else {}
            report = publish(
                store,
                self._settings,
                self._context,
                now=now,
                slugs=slugs,
                everything=everything,
                health=self._health(states, now) if self._settings.output.pages else {},
                states=states,
            )
        finally:
            self._cache.end_publish()
        if log.isEnabledFor(logging.DEBUG):
            from feedhub.runtime.decisions import log_publish_decisions

            log_publish_decisions(report)
        return report

    def _publish_posts(self, run: Publishing, /, *, now: datetime, everything: bool) -> None:
        """Publish Jekyll posts; only where they are configured the modules for that are imported."""
        from feedhub.pipeline.posts import publish_posts

        try:
            publish_posts(run, self._posts, now=now, everything=everything)
        except PublishError as error:  # the template, or the file name: it costs the posts
            run.fail(self._posts_settings.dir, str(error))

    @cached_property
    def _posts(self) -> "PostContext":
        from feedhub.pipeline.posts import PostContext
        from feedhub.publish.jekyll import JekyllRenderer

        posts = self._posts_settings
        return PostContext(settings=posts, renderer=JekyllRenderer(posts, self._settings.site, self._post_template))

    @property
    def _posts_settings(self) -> PostSettings:
        posts = self._settings.posts
        assert posts is not None  # noqa: S101 - tells the type checker
        return posts

    @cached_property
    def _teller(self) -> "StoryTeller | None":
        if self._settings.stories is None:
            return None
        from feedhub.pipeline.stories import StoryTeller

        return StoryTeller(self._settings.stories)

    def _health(self, states: Mapping[str, SourceState], now: datetime) -> dict[str, Health]:
        """Return the health of every source, by name."""
        return {
            source.name: health_of(source, states.get(source.name, SourceState(name=source.name)), now)[0]
            for source in self._settings.sources
        }


def _page_renderer(
    settings: Settings, page_templates: MakeTemplates, cache: EntryCache, workers: "Callable[[], Workers] | None"
) -> PageRenderer:
    from feedhub.publish.html_site import HtmlSite

    added = added_formats(settings.output.formats)
    return HtmlSite(settings.site, settings.output, settings.categories, added, page_templates, cache, workers)


def seconds_to_digest(settings: Settings, now: datetime) -> float:
    """Return after how many seconds a day of a digest ends, infinity where there is none."""
    zone = ZoneInfo(settings.site.timezone)
    ends = (day_end(now, one.digest_at, zone) for one in settings.categories if one.digest_at is not None)
    return min(((end - now).total_seconds() for end in ends), default=inf)


_LONGEST: Final = 60.0
_MOST_TOLD: Final = 20


class PublishTimer:
    """Decides when ``publish`` is called; times in seconds.

    It is called ``gap`` after the last time at the earliest; after a failure ``retry``, and twice as long each time.
    After ``until_due`` it is due again although nothing happened.
    ``begin`` calls it in a thread, so that polls are stored meanwhile; what came of it is taken up by ``finish``.
    """

    def __init__(
        self,
        publish: Callable[[], PublishReport],
        on_published: Callable[[PublishReport], None],
        *,
        gap: float = 2.0,
        retry: float = 4.0,
        until_due: Callable[[], float] = lambda: inf,
    ) -> None:
        self.publish = publish
        self._gap = gap
        self._first_retry = retry
        self._on_published = on_published
        self._is_due = True
        self._until_due = until_due
        self._due_at = inf
        self._not_before = 0.0
        self._retry = self._first_retry
        self._thread: threading.Thread | None = None
        self._outcome: PublishReport | StoreError = PublishReport()

    @property
    def is_under_way(self) -> bool:
        """Whether a publish was begun and not finished."""
        return self._thread is not None

    def mark(self) -> None:
        """Publish soon, because something may have changed."""
        self._is_due = True

    def wait(self, longest: float) -> float:
        """Return after how many seconds to call ``begin`` again, ``longest`` at most."""
        if not self._is_due or self.is_under_way:
            return longest
        return min(longest, max(self._not_before - monotonic(), 0.0))

    def begin(self, ended: Callable[[], None]) -> None:
        """Publish in a thread, if it is due and the last time is long enough ago; ``ended`` is called from there."""
        self._is_due = self._is_due or monotonic() >= self._due_at
        if not self._is_due or self.is_under_way or monotonic() < self._not_before:
            return
        self._is_due = False
        publish = self.publish

        def run() -> None:
            self._outcome = _outcome_of(publish)
            ended()

        self._thread = threading.Thread(target=run, name="publish", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait for what was begun, and take up what came of it.

        Raises:
            StoreError: the store could not be used.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._take_up(self._outcome)

    def run(self) -> None:
        """Publish at once if it is due; first finish what was begun.

        Raises:
            StoreError: the store cannot be used.
        """
        self.finish()
        if self._is_due:
            self._is_due = False
            self._take_up(_outcome_of(self.publish))

    def _take_up(self, report: PublishReport | StoreError) -> None:
        if isinstance(report, StoreError):
            self._is_due = True
            raise report
        self._not_before = monotonic() + self._gap
        self._due_at = monotonic() + self._until_due()
        again = f"{self._retry:g}s"
        for output, reason in report.failed[:_MOST_TOLD]:
            log.error("publish failed", extra={"output": output, "reason": reason, "again_in": again})
        if len(report.failed) > _MOST_TOLD:
            more = len(report.failed) - _MOST_TOLD
            log.error("publish failed", extra={"output": f"{more} more", "reason": "not told", "again_in": again})
        if report.failed:
            self._is_due = True
            self._not_before = monotonic() + self._retry
            self._retry = min(2 * self._retry, _LONGEST)
        else:
            self._retry = self._first_retry
        if report.written or report.removed:
            log.info("published", extra={"written": len(report.written), "removed": len(report.removed)})
        self._on_published(report)


def _outcome_of(publish: Callable[[], PublishReport]) -> PublishReport | StoreError:
    try:
        return publish()
    except StoreError as error:
        return error
    except PublishError as error:
        return PublishReport(failed=(("output", str(error)),))
    except Exception as error:  # an unexpected error must not end the daemon
        log.debug("publishing failed unexpectedly", exc_info=True)
        return PublishReport(failed=(("output", f"unexpected {type(error).__name__}: {error}"),))
