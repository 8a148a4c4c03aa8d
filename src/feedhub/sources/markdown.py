"""Markdown to HTML (CommonMark, with tables and strikethrough). HTML inside it is shown as text."""

from functools import lru_cache

from markdown_it import MarkdownIt

# Hostile Markdown of this length takes one to two seconds; longer texts stay as they are written.
LONGEST_MARKDOWN = 100_000


def html_of(text: str) -> str:
    """Return ``text``, of at most ``LONGEST_MARKDOWN`` characters, as HTML; sanitising comes later."""
    return str(_renderer().render(text))


@lru_cache(maxsize=1)
def _renderer() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
