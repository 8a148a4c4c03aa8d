"""Atom 1.0 (RFC 4287) and RSS 2.0: feedgen writes the document, ``entry_xml.py`` the entries.

Both are imported when something is rendered: mostly no poll brings anything new.
"""

from functools import partial

from feedhub.errors import PublishError
from feedhub.model.output import OutputFile, OutputView
from feedhub.publish.addresses import category_scheme, feed_path
from feedhub.publish.entry_texts import EntryTexts


class AtomRenderer:
    """Writes ``feeds/<slug>.atom``."""

    def __init__(self, texts: EntryTexts | None = None) -> None:
        self._texts = texts or EntryTexts()

    def render(self, view: OutputView) -> OutputFile:
        """Return the Atom document of ``view``.

        Raises:
            PublishError: the view breaks its own contract (an id or the site's address is empty).
        """
        from feedhub.publish.entry_xml import atom_text
        from feedhub.publish.feed_document import atom_document

        path = feed_path(view.feed.slug, "atom", view.part)
        try:
            entries = self._texts.of(view, "atom", partial(atom_text, scheme=category_scheme(view.site)))
            return OutputFile(path=path, body=atom_document(view, entries))
        except ValueError as exc:
            raise PublishError(f"{path}: cannot be written as Atom: {exc}") from exc


class RssRenderer:
    """Writes ``feeds/<slug>.rss``."""

    def __init__(self, texts: EntryTexts | None = None) -> None:
        self._texts = texts or EntryTexts()

    def render(self, view: OutputView) -> OutputFile:
        """Return the RSS document of ``view``.

        Raises:
            PublishError: the view breaks its own contract (an id or the site's address is empty).
        """
        from feedhub.publish.entry_xml import rss_text
        from feedhub.publish.feed_document import rss_document

        path = feed_path(view.feed.slug, "rss", view.part)
        try:
            items = self._texts.of(view, "rss", partial(rss_text, scheme=category_scheme(view.site)))
            return OutputFile(path=path, body=rss_document(view, items))
        except ValueError as exc:
            raise PublishError(f"{path}: cannot be written as RSS: {exc}") from exc
