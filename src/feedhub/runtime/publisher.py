"""Everything that writes into the output folder, and when the daemon publishes."""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Final

from feedhub.errors import PublishError, StoreError
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.model.source import Health, SourceState
from feedhub.pipeline.outputs import PublishContext
from feedhub.pipeline.publish import publish, publish_health
from feedhub.ports.publishing import PageRenderer
from feedhub.ports.store import Store
from feedhub.publish.addresses import SitePaths
from feedhub.publish.entry import EntryCache
from feedhub.publish.files import FolderWriter
from feedhub.publish.formats import ATOM_FORMAT, FormatRenderer, renderers
from feedhub.publish.index import FeedIndex
from feedhub.publish.templating import MakeTemplates
from feedhub.rules.health import health_of
from feedhub.runtime.plugins import added_formats

if TYPE_CHECKING:
    from feedhub.pipeline.posts import PostContext
    from feedhub.publish.jekyll import RendersPosts

log = logging.getLogger(__name__)


class OutputPublisher:
    """Writes the feeds, their index and pages, and Jekyll posts where they are configured.

    ``page_templates`` and ``post_template`` make what renders templates of the owner.
    """

    def __init__(
        self,
        settings: Settings,
        page_templates: MakeTemplates,
        post_template: "Callable[[str], RendersPosts]",
    ) -> None:
        self._settings = settings
        self._post_template = post_template
        self._cache = EntryCache()
        self._writer = writer = FolderWriter(settings.output.dir)
        self._context = PublishContext(
            renderers=renderers(settings.output.formats, self._cache, added_formats(settings.output.formats)),
            index=FeedIndex(settings.site, settings.output.formats, has_pages=settings.output.pages),
            writer=writer,
            page_paths=SitePaths(settings.site),
            pages=_page_renderer(settings, page_templates) if settings.output.pages else None,
        )

    def publish(
        self, store: Store, now: datetime, *, slugs: Collection[str] = (), everything: bool = False
    ) -> PublishReport:
        """Write what changed, or the named outputs (posts belong to none), or all."""
        self._cache.start_publish()
        report = publish(
            store,
            self._settings,
            self._context,
            now=now,
            slugs=slugs,
            everything=everything,
            health=self._health(store, now) if self._settings.output.pages else {},
        )
        parts = [report]
        if not slugs:
            parts += self._publish_without_category(store, now, everything=everything)
        report = _summed(parts)
        if log.isEnabledFor(logging.DEBUG):
            from feedhub.runtime.decisions import log_publish_decisions

            log_publish_decisions(report)
        return report

    def _publish_without_category(self, store: Store, now: datetime, *, everything: bool) -> list[PublishReport]:
        """Publish what belongs to no category: the health feed, and Jekyll posts where they are configured."""
        parts = [
            publish_health(
                store, self._settings, FormatRenderer(ATOM_FORMAT), self._context.writer, everything=everything
            ),
        ]
        if self._settings.posts is not None:
            from feedhub.pipeline.posts import publish_posts

            try:
                parts.append(publish_posts(store, self._settings, self._posts, now=now, everything=everything))
            except PublishError as error:  # the template, or the file name: it costs the posts
                parts.append(PublishReport(failed=((self._settings.posts.dir, str(error)),)))
        return parts

    @cached_property
    def _posts(self) -> "PostContext":
        """What writes Jekyll posts; only where they are configured its modules are imported."""
        from feedhub.pipeline.posts import PostContext
        from feedhub.publish.jekyll import JekyllRenderer

        posts = self._settings.posts
        assert posts is not None  # noqa: S101 - tells the type checker
        renderer = JekyllRenderer(posts, self._settings.site, self._post_template)
        return PostContext(settings=posts, renderer=renderer, writer=self._writer)

    def _health(self, store: Store, now: datetime) -> dict[str, Health]:
        """Return the health of every source, by name."""
        states = {state.name: state for state in store.states()}
        return {
            source.name: health_of(source, states.get(source.name, SourceState(name=source.name)), now)[0]
            for source in self._settings.sources
        }


def _page_renderer(settings: Settings, page_templates: MakeTemplates) -> PageRenderer:
    from feedhub.publish.html_site import HtmlSite

    added = added_formats(settings.output.formats)
    return HtmlSite(settings.site, settings.output, settings.categories, added, page_templates)


def _summed(parts: Sequence[PublishReport]) -> PublishReport:
    return PublishReport(
        written=tuple(path for part in parts for path in part.written),
        unchanged=sum(part.unchanged for part in parts),
        removed=tuple(path for part in parts for path in part.removed),
        failed=tuple(failure for part in parts for failure in part.failed),
        choices=tuple(choice for part in parts for choice in part.choices),
    )


_LONGEST: Final = 60.0
_MOST_TOLD: Final = 20


class PublishTimer:
    """Decides when ``publish`` is called; times in seconds.

    It is called ``gap`` after the last time at the earliest; after a failure ``retry``, and twice as long each time.
    """

    def __init__(
        self,
        publish: Callable[[], PublishReport],
        on_published: Callable[[PublishReport], None],
        *,
        gap: float = 2.0,
        retry: float = 4.0,
    ) -> None:
        self.publish = publish
        self._gap = gap
        self._first_retry = retry
        self._on_published = on_published
        self._is_due = True
        self._not_before = 0.0
        self._retry = self._first_retry

    def mark(self) -> None:
        """Publish soon, because something may have changed."""
        self._is_due = True

    def wait(self, longest: float) -> float:
        """Return after how many seconds to call ``run`` again, ``longest`` at most."""
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
        except Exception as error:  # an unexpected error must not end the daemon
            log.debug("publishing failed unexpectedly", exc_info=True)
            report = PublishReport(failed=(("output", f"unexpected {type(error).__name__}: {error}"),))
        self._not_before = monotonic() + self._gap
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
