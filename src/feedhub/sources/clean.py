"""Turns parsed items into normalised ones: markup sanitised by nh3, addresses absolute (port ``Cleaner``)."""

import html
import re
import threading
from collections import Counter

import nh3

from feedhub.model.item import Item, Markup, ParsedItem
from feedhub.model.source import Source
from feedhub.rules.text import clean_text, visible_text
from feedhub.sources import allowed_html
from feedhub.sources.crowded import is_crowded
from feedhub.sources.pictures import repaired_pictures

# Without an address these show nothing. nh3 writes attributes quoted and escapes `>` in them.
_EMPTY_PICTURE = re.compile(r"<(?:img|source)(?![^>]* src=)[^>]*>")
_EMPTY_PLAYER = re.compile(r"<iframe(?![^>]* src=)[^>]*>.*?</iframe>", re.DOTALL)
_ADDED_TO = re.compile(f"<({'|'.join(allowed_html.ADDED)})(?=[ >])")
_TAGS = re.compile(r"<(/?)([a-zA-Z][\w-]*)")
_VOID = "area base br col embed hr img input link meta param source track wbr"
_CLOSED_BY_THE_NEXT = "dd dt li option p tbody td tfoot th thead tr"
_SELF_CLOSING = frozenset(f"{_VOID} {_CLOSED_BY_THE_NEXT}".split())
_DEEPEST = 250
_COSTLIEST = 1_000_000
_MOST_AMPERSANDS = 10_000
_LONGEST_PLAIN = 200_000
_LONGEST = 2_000_000
_SHORT = 20_000


class _Sanitiser(threading.local):
    """nh3 with the allow-list, made once per thread: to make it costs as much as to clean an article with it."""

    def __init__(self) -> None:
        self._base = ""
        self._cleaner = nh3.Cleaner(
            tags=set(allowed_html.TAGS),
            clean_content_tags=set(allowed_html.DROPPED_WITH_CONTENT),
            attributes=allowed_html.ATTRIBUTES,
            attribute_filter=lambda tag, name, value: allowed_html.allowed_value(tag, name, value, self._base),
            link_rel=allowed_html.LINK_REL,
            url_schemes={"http", "https", "mailto", "data"},
            strip_comments=True,
        )

    def clean(self, markup: str, base: str) -> str:
        self._base = base
        return self._cleaner.clean(markup)


_SANITISER = _Sanitiser()


class HtmlCleaner:
    """Implements ``Cleaner``. Holds no state; safe to use from many threads."""

    def clean(self, parsed: ParsedItem, source: Source) -> Item:
        """Return the normalised item; see ``feedhub.ports.world.Cleaner``. Never raises."""
        base = parsed.link or source.url
        return Item(
            title=parsed.title,
            guid=parsed.guid,
            link=parsed.link,
            summary=_cleaned(parsed.summary, source, base),
            content=_cleaned(parsed.content, source, base),
            authors=parsed.authors,
            tags=parsed.tags,
            language=parsed.language,
            image=parsed.image,
            comments=parsed.comments,
            enclosures=parsed.enclosures,
        )


def _cleaned(text: Markup | None, source: Source, base: str) -> str | None:
    if text is None:
        return None
    value = clean_text(text.value)
    try:
        if text.kind == "text":
            return text_as_html(value) or None
        if source.content == "trust":
            return value or None
        if source.content == "text":
            return text_as_html(visible_text(value)) or None
        return _harmless(value, text.base or base) or None
    except Exception:  # noqa: BLE001 - hostile input; escaped text is always safe, and the item is not lost
        return html.escape(value, quote=False) or None


def _harmless(markup: str, base: str) -> str:
    clean = None if is_excessive(markup) else sanitised(markup, base)
    if clean is None or len(clean) > _LONGEST:
        # No article is like that, and escaping makes such texts five times as long.
        return text_as_html(visible_text(markup)[:_LONGEST_PLAIN])
    return clean


def sanitised(markup: str, base: str) -> str:
    """Return ``markup`` with only what the allow-list knows; addresses absolute against ``base``."""
    clean = _SANITISER.clean(repaired_pictures(markup), base)
    if "<img" in clean or "<source" in clean:
        clean = _EMPTY_PICTURE.sub("", clean)
    if "<iframe" in clean:
        clean = _EMPTY_PLAYER.sub("", clean)
    # Once more: `&#x1F;` has become the character itself.
    clean = clean_text(clean)
    return _ADDED_TO.sub(lambda match: f"{match[0]} {allowed_html.ADDED[match[1]]}", clean).strip()


def text_as_html(text: str) -> str:
    """Return plain text as markup: blank lines part paragraphs, single line breaks are kept."""
    lines = [line.strip() for line in text.strip().splitlines()]
    paragraphs = re.split(r"\n{2,}", "\n".join(lines))
    return "".join(f"<p>{html.escape(part, quote=False).replace(chr(10), '<br>')}</p>" for part in paragraphs if part)


def is_excessive(markup: str) -> bool:
    """Tell markup that would make the sanitiser slow: it is quadratic in depth, attributes of a tag and ampersands.

    20,000 nested elements took 1 s, a million bare ampersands 22 s, measured with nh3 0.3. Numeric references cost it
    nothing, so whole texts may be written in them.
    """
    if len(markup) < _SHORT and markup.count("<") <= _DEEPEST:
        return False
    if markup.count("&") - markup.count("&#") > _MOST_AMPERSANDS or is_crowded(markup):
        return True
    unclosed: Counter[str] = Counter()
    depth = deepest = tags = 0
    for closing, name in _TAGS.findall(markup):
        tags += 1
        tag = name.lower()
        if tag in _SELF_CLOSING:
            continue
        if not closing:
            unclosed[tag] += 1
            depth += 1
            deepest = max(deepest, depth)
        elif unclosed[tag]:
            unclosed[tag] -= 1
            depth -= 1
    return deepest > _DEEPEST or deepest * tags > _COSTLIEST
