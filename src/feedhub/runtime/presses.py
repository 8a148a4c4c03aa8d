"""Everything that writes into the output folder, behind one method."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.model.source import SourceState
from feedhub.pipeline.health import publish_health
from feedhub.pipeline.publish import Press, publish
from feedhub.ports.store import Store
from feedhub.publish.atom_rss import AtomRenderer
from feedhub.publish.entry_texts import EntryTexts
from feedhub.publish.files import FolderWriter
from feedhub.publish.html_site import HtmlSite
from feedhub.publish.index import FeedIndex
from feedhub.publish.renderers import renderers
from feedhub.rules.health import health

if TYPE_CHECKING:
    from feedhub.pipeline.posts import PostPress


class Presses:
    """The feeds, their index and pages, and Jekyll posts where they are configured.

    Raises:
        PublishError: the template of the posts cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._texts = EntryTexts()
        writer = FolderWriter(settings.output.dir)
        site = HtmlSite(settings.site, settings.output)
        self._feeds = Press(
            renderers=renderers(settings.output.formats, self._texts),
            index=FeedIndex(settings.site, settings.output.formats),
            writer=writer,
            pages=site if settings.output.pages else None,
            layout=site,
        )
        self._posts = _post_press(settings, writer)

    def publish(
        self, store: Store, now: datetime, *, slugs: Collection[str] = (), everything: bool = False
    ) -> PublishReport:
        """Write what changed, or the named outputs (posts belong to none), or all."""
        self._texts.begin()
        report = publish(
            store,
            self._settings,
            self._feeds,
            slugs=slugs,
            everything=everything,
            health=self._health(store, now) if self._settings.output.pages else {},
        )
        if slugs:
            return report
        parts = [
            report,
            publish_health(store, self._settings, AtomRenderer(), self._feeds.writer, everything=everything),
        ]
        if self._posts is not None:
            from feedhub.pipeline.posts import publish_posts

            parts.append(publish_posts(store, self._settings, self._posts, now=now, everything=everything))
        return _in_all(parts)

    def _health(self, store: Store, now: datetime) -> dict[str, str]:
        """Return the state of every source in one word, by name."""
        states = {state.name: state for state in store.states()}
        return {
            source.name: health(source, states.get(source.name, SourceState(name=source.name)), now)[0]
            for source in self._settings.sources
        }


def _post_press(settings: Settings, writer: FolderWriter) -> "PostPress | None":
    """Return what writes Jekyll posts, where they are configured; it is imported there only."""
    if settings.posts is None:
        return None
    from feedhub.pipeline.posts import PostPress
    from feedhub.publish.jekyll import PostRenderer

    return PostPress(settings=settings.posts, format=PostRenderer(settings.posts, settings.site), writer=writer)


def _in_all(parts: Sequence[PublishReport]) -> PublishReport:
    return PublishReport(
        written=tuple(path for part in parts for path in part.written),
        unchanged=sum(part.unchanged for part in parts),
        removed=tuple(path for part in parts for path in part.removed),
        failed=tuple(failure for part in parts for failure in part.failed),
    )
