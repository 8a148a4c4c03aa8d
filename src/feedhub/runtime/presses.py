"""Everything that writes into the output folder, behind one method."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.pipeline.posts import PostPress, publish_posts
from feedhub.pipeline.publish import Press, publish
from feedhub.ports.store import Store
from feedhub.publish.files import FolderWriter
from feedhub.publish.index import FeedIndex
from feedhub.publish.jekyll import PostRenderer
from feedhub.publish.renderers import renderers


class Presses:
    """The feeds and their index, and Jekyll posts where they are configured.

    Raises:
        PublishError: the template of the posts cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        writer = FolderWriter(settings.output.dir)
        self._feeds = Press(
            renderers=renderers(settings.output.formats),
            index=FeedIndex(settings.site, settings.output.formats),
            writer=writer,
        )
        posts = settings.posts
        self._posts: PostPress | None = None
        if posts is not None:
            self._posts = PostPress(settings=posts, format=PostRenderer(posts, settings.site), writer=writer)

    def publish(
        self, store: Store, now: datetime, *, slugs: Collection[str] = (), everything: bool = False
    ) -> PublishReport:
        """Write what changed, or the named outputs (posts belong to none), or all."""
        report = publish(store, self._settings, self._feeds, slugs=slugs, everything=everything)
        if self._posts is None or slugs:
            return report
        posts = publish_posts(store, self._settings, self._posts, now=now, everything=everything)
        return replace(
            report,
            written=report.written + posts.written,
            unchanged=report.unchanged + posts.unchanged,
            removed=report.removed + posts.removed,
            failed=report.failed + posts.failed,
        )
