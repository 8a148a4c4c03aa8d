"""The files that speak of all outputs, as the pipeline asks for them."""

from collections.abc import Sequence
from datetime import datetime

from feedhub.model.output import CategorySummary, FeedFormat, OutputFile, Part, Site
from feedhub.publish.addresses import MEDIA_TYPES, feed_path
from feedhub.publish.manifest import manifest, read_manifest
from feedhub.publish.opml import feeds_opml


class FeedIndex:
    """Renders ``feeds.opml`` and ``feedhub.json`` of one site."""

    def __init__(self, site: Site, formats: Sequence[FeedFormat]) -> None:
        self._site = site
        self._formats = tuple(formats)

    def render(
        self, categories: Sequence[CategorySummary], *, items: int, changed_at: datetime
    ) -> tuple[OutputFile, ...]:
        """Return the OPML list and, last, the manifest. ``items`` and ``changed_at`` are of the combined feed."""
        return (
            feeds_opml(self._site, categories, self._formats),
            manifest(self._site, categories, self._formats, items, changed_at),
        )

    def listed(self, manifest: bytes) -> tuple[str, ...]:
        """Return the slugs that an earlier manifest names; () for one that cannot be read."""
        return read_manifest(manifest)

    def paths(self, slug: str, part: Part | None = None) -> tuple[str, ...]:
        """Return the paths of the feeds of ``slug`` in every format, also those that are not published now."""
        return tuple(feed_path(slug, kind, part) for kind in MEDIA_TYPES)
