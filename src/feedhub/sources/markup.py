"""Addresses and markup as they leave a document: absolute http(s) addresses, markup by an allow-list (SPEC §9)."""

import html
import re
import threading
from typing import Final
from urllib.parse import urljoin, urlsplit

import nh3

from feedhub.model.item import PLAYERS, Item, Markup, ParsedItem
from feedhub.model.source import Source
from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.text import clean_text, visible_text
from feedhub.sources.pictures import repaired_pictures
from feedhub.sources.repair import in_lower_case, repaired

_LONGEST_ADDRESS = 8_000
_IGNORED = lazy_pattern("[\x00-\x20\x7f-\xa0\u200b\ufeff]+$|^[\x00-\x20\x7f-\xa0\u200b\ufeff]+|[\t\r\n]")
_ABSOLUTE = lazy_pattern(r"https?://", re.IGNORECASE)
# An ampersand that was escaped once too often; no address means that.
_ESCAPED_AMPERSAND = lazy_pattern(r"&(?:amp;)+|&#0*38;|&#x0*26;", re.IGNORECASE)
# RFC 3986 allows none of these in an address; browsers write them as percent escapes. Each space of Unicode is one.
_UNSAFE = lazy_pattern(r'[\x00-\x20\x7f-\xa0"<>\\^`{|}\s]')
# Most addresses hold only these characters and are returned as they are.
_PLAIN = r"[\w.~!$&'()*+,;=:@%-]"
_PLAIN_URL = lazy_pattern(
    rf"https?://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?:/(?:{_PLAIN}|/)*)?(?:\?(?:{_PLAIN}|[/?])*)?(?:#(?:{_PLAIN}|[/?])*)?",
    re.ASCII,
)
_PLAIN_PATH = lazy_pattern(rf"(?:/(?!\.){_PLAIN}+)+", re.ASCII)
_ORIGIN = lazy_pattern(r"https?://[a-z0-9.-]+(?=/)", re.ASCII)


def http_url(value: object, base: str = "") -> str | None:
    """Return ``value`` as an absolute http(s) address, relative ones resolved against ``base``; else None.

    ``javascript:``, ``data:``, ``tag:``, addresses without a host, and anything that is no text give None.
    """
    if not isinstance(value, str):
        return None
    if "&amp;" in value or "&#" in value:
        value = _ESCAPED_AMPERSAND.sub("&", value)
    if len(value) <= _LONGEST_ADDRESS:
        if _PLAIN_URL.fullmatch(value):
            return value
        if (origin := _ORIGIN.match(base)) and _PLAIN_PATH.fullmatch(value):
            return origin[0] + value
    text = _IGNORED.sub("", value)
    if not text or len(text) > _LONGEST_ADDRESS:
        return None
    try:
        address = text if _ABSOLUTE.match(text) or not base else urljoin(base, text)
        parts = urlsplit(address)
        _ = parts.port, address.encode()  # fails for a lone surrogate
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return None
    return _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), address)


_STRUCTURE = (
    "article aside blockquote br caption col colgroup dd details div dl dt figcaption figure footer h1 h2 h3 h4"
)
_MORE_STRUCTURE = "h5 h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
_PHRASES = "a abbr b bdi bdo cite code del dfn em i ins kbd mark q rp rt ruby s samp small span strike strong sub sup"
_MEDIA = "time tt u var wbr audio iframe img source video"
_HIDDEN = "script style svg math object embed applet template title head noembed noframes select textarea frameset xmp"

TAGS = frozenset(f"{_STRUCTURE} {_MORE_STRUCTURE} {_PHRASES} {_MEDIA}".split())
# Removed with their content. (nh3 keeps the content of other tags that are not allowed.)
DROPPED_WITH_CONTENT = frozenset(_HIDDEN.split())
ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href"},
    "audio": {"src"},
    "blockquote": {"cite"},
    "col": {"span"},
    "colgroup": {"span"},
    "del": {"cite", "datetime"},
    "details": {"open"},
    "iframe": {"src", "width", "height"},
    "img": {"src", "alt", "width", "height"},
    "ins": {"cite", "datetime"},
    "li": {"value"},
    "ol": {"start", "reversed", "type"},
    "q": {"cite"},
    "source": {"src", "type"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
    "time": {"datetime"},
    "video": {"src", "poster", "width", "height"},
}
# Added after sanitising, because nh3 adds attributes in an order that differs from run to run.
ADDED = {
    "img": 'loading="lazy" referrerpolicy="no-referrer"',
    "iframe": (
        'loading="lazy" referrerpolicy="strict-origin-when-cross-origin" '
        'sandbox="allow-scripts allow-same-origin allow-popups allow-presentation"'
    ),
    "audio": 'controls="" preload="none"',
    "video": 'controls="" preload="none"',
}
LINK_REL = "noopener noreferrer"

_ADDRESSES = frozenset({"href", "src", "cite", "poster"})
_NUMBERS = frozenset({"width", "height", "span", "colspan", "rowspan", "start", "value"})
_CHECKED = _ADDRESSES | _NUMBERS
_NUMBER = lazy_pattern(r"\s*(-?\d{1,5})(?:px|\.\d+)?\s*")
_PLAYERS = tuple(f"https://{host}{path}" for host, path in PLAYERS)
_RASTER = lazy_pattern(r"data:image/(?:png|jpe?g|gif|webp|avif|bmp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)


def allowed_value(tag: str, name: str, value: str, base: str) -> str | None:
    """Return what an attribute may say, addresses made absolute against ``base``; None drops it."""
    if name in _NUMBERS:
        number = _NUMBER.fullmatch(value)
        return number[1] if number else None
    if name not in _ADDRESSES:
        return value
    text = value.strip()
    if text.startswith("http") and tag != "iframe":  # nearly all
        return http_url(text, base)
    if tag == "img" and _RASTER.fullmatch(text):
        return text
    if tag == "a" and text[:7].lower() == "mailto:":
        return text
    if text.startswith("#"):
        return None  # ids are dropped, so a link within the text leads nowhere
    address = http_url(text, base)
    if tag == "iframe":
        secure = re.sub("^http:", "https:", address or "")
        return secure if secure.startswith(_PLAYERS) else None
    return address


# The square of the number of attributes, over all tags: 20,000 in one tag take lxml 2.5 s.
_MOST_WORK: Final = 200_000_000
_VALUE: Final = r"""(?:"(?:[^"<>=]++|=(?!\s*["']))*+"|'(?:[^'<>=]++|=(?!\s*["']))*+'|[^\s"'<>=]++)"""
_ATTRIBUTE: Final = rf"(?:[\s/]++(?:[^\s/\"'<>=]++(?:\s*+=\s*+{_VALUE})?+)?+)"
# Text and tags of at most 40 attributes.
_ORDINARY: Final = lazy_pattern(rf"(?:[^<]++|<(?![a-zA-Z])|<[a-zA-Z][^\s/\"'<>=]*+{_ATTRIBUTE}{{0,40}}+>)*+")
_OPENING: Final = lazy_pattern(r"<[a-zA-Z]")
_TOKEN: Final = lazy_pattern(r"""<(?=[a-zA-Z])|\s+|[/>="']|[^\s/>="'<]+|<""")

_TAG, _BEFORE, _NAME, _AFTER, _VALUE_NEXT, _UNQUOTED, _DOUBLE, _SINGLE, _GONE = range(9)
_SPACE, _SLASH, _END, _EQUALS, _QUOTE, _APOSTROPHE, _OTHER = range(7)
_KINDS: Final = {"/": _SLASH, ">": _END, "=": _EQUALS, '"': _QUOTE, "'": _APOSTROPHE}
# The state after each kind of token, in the order of the kinds. Each name that begins is one attribute more.
_LEADS: Final = {
    _TAG: (_BEFORE, _BEFORE, _GONE, _TAG, _TAG, _TAG, _TAG),
    _BEFORE: (_BEFORE, _BEFORE, _GONE, _NAME, _NAME, _NAME, _NAME),
    _NAME: (_AFTER, _BEFORE, _GONE, _VALUE_NEXT, _NAME, _NAME, _NAME),
    _AFTER: (_AFTER, _BEFORE, _GONE, _VALUE_NEXT, _NAME, _NAME, _NAME),
    _VALUE_NEXT: (_VALUE_NEXT, _UNQUOTED, _GONE, _UNQUOTED, _DOUBLE, _SINGLE, _UNQUOTED),
    _UNQUOTED: (_BEFORE, _UNQUOTED, _GONE, _UNQUOTED, _UNQUOTED, _UNQUOTED, _UNQUOTED),
    _DOUBLE: (_DOUBLE, _DOUBLE, _DOUBLE, _DOUBLE, _BEFORE, _DOUBLE, _DOUBLE),
    _SINGLE: (_SINGLE, _SINGLE, _SINGLE, _SINGLE, _SINGLE, _BEFORE, _SINGLE),
}
_BEGINS: Final = frozenset({_BEFORE, _AFTER})


def has_too_many_attributes(markup: str) -> bool:
    """Return whether markup would take seconds to parse because of the attributes of its tags. Linear in its length."""
    at = _end_of_ordinary(markup, 0)
    cost = 0
    while found := _OPENING.search(markup, at):
        at, dearest = _dearest_from(markup, found.start())
        cost += dearest
        if cost > _MOST_WORK:
            return True
        at = _end_of_ordinary(markup, at)
    return False


def _end_of_ordinary(markup: str, at: int) -> int:
    match = _ORDINARY.match(markup, at)
    return match.end() if match else at


def _dearest_from(markup: str, at: int) -> tuple[int, int]:
    """Return where every tag that begins at or after ``at`` has ended, and the highest cost of the tags up to there."""
    counts: dict[int, int] = {}
    cost = 0
    for token in _TOKEN.finditer(markup, at):
        text = token[0]
        kind = _KINDS.get(text, _SPACE if text.isspace() else _OTHER)
        moved: dict[int, int] = {}
        for state, count in counts.items():
            to = _LEADS[state][kind]
            met = count + (to == _NAME and state in _BEGINS)
            if to == _GONE:
                cost += met * met
            elif met > moved.get(to, -1):
                moved[to] = met
        if text == "<" and markup[token.end() : token.end() + 1].isalpha():
            moved.setdefault(_TAG, 0)
        counts = moved
        if not counts:
            return token.end(), cost
        if cost > _MOST_WORK:
            break
    return len(markup), cost + sum(count * count for count in counts.values())


# Without an address pictures and players show nothing. nh3 quotes attributes and escapes `>` in them.
_MEDIA_TAG = lazy_pattern(
    r"<iframe(?![^>]* src=)[^>]*>.*?</iframe>|<(img|source|iframe|audio|video)((?: [^>]*)?)>", re.DOTALL
)
_EMPTY_WITHOUT_ADDRESS = frozenset({"img", "source"})
_TAGS = lazy_pattern(r"<(/?[a-z][\w-]*)")
_VOID = "area base br col embed hr img input link meta param source track wbr"
_CLOSED_BY_THE_NEXT = "dd dt li option p tbody td tfoot th thead tr"
_SELF_CLOSING = frozenset(f"{_VOID} {_CLOSED_BY_THE_NEXT}".split())
_DEEPEST = 250
_COSTLIEST = 1_000_000
_MOST_AMPERSANDS = 10_000
_LONGEST_PLAIN = 200_000
_LONGEST = 2_000_000
_SHORT = 20_000
# A text without any of these is as it is, in markup too; a parser also changes line ends, and a mark at the beginning.
_MARKS = ("<", "&", ">", "\xa0", "\r", "\ufeff")


class _Sanitiser(threading.local):
    """nh3 with the allow-list, one per thread: making it takes as long as cleaning an article with it."""

    def __init__(self) -> None:
        self._base = ""
        self._cleaner = nh3.Cleaner(
            tags=set(TAGS),
            clean_content_tags=set(DROPPED_WITH_CONTENT),
            attributes=ATTRIBUTES,
            attribute_filter=lambda tag, name, value: (
                allowed_value(tag, name, value, self._base) if name in _CHECKED else value
            ),
            link_rel=LINK_REL,
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
            summary=_cleaned(parsed.summary, source.content, base),
            content=_cleaned(parsed.content, source.content, base),
            authors=parsed.authors,
            tags=parsed.tags,
            language=parsed.language,
            image=parsed.image,
            comments=parsed.comments,
            enclosures=parsed.enclosures,
            published_at=parsed.published_at,
        )

    def clean_again(self, markup: str, item: Item, source: Source) -> str | None:
        """Return markup that rules have changed; see ``feedhub.ports.world.Cleaner``. Never raises."""
        # A text was made markup when it was cleaned first: making it text again would undo what the rule wrote.
        content = "trust" if source.content == "trust" else "sanitize"
        return _cleaned(Markup(value=markup), content, item.link or source.url)


def _cleaned(text: Markup | None, content: str, base: str) -> str | None:
    if text is None:
        return None
    value = clean_text(text.value)
    try:
        if text.kind == "text":
            return text_as_html(value) or None
        if content == "trust":
            return value or None
        if content == "text":
            return text_as_html(visible_text(value)) or None
        return harmless(value, text.base or base) or None
    except Exception:  # noqa: BLE001 - hostile input; escaped text is always safe, and the item is not lost
        return html.escape(value, quote=False) or None


def harmless(markup: str, base: str) -> str:
    """Return ``markup`` repaired and cleaned, or its text alone where that would take long; addresses absolute."""
    if not any(mark in markup for mark in _MARKS):
        return markup.strip()
    clean = None
    if not is_excessive(markup):
        ready, tags = _repaired(markup, base)
        # What was raw text may have become markup, so it is measured again.
        if ready is markup or not is_excessive(ready):
            clean = _cleaned_markup(repaired_pictures(ready, tags), base)
    if clean is None or len(clean) > _LONGEST:
        # Only hostile markup is like that. The text is cut, because escaping makes it up to five times as long.
        return text_as_html(visible_text(markup)[:_LONGEST_PLAIN])
    return clean


def _repaired(markup: str, base: str) -> tuple[str, str]:
    return repaired(markup, lambda address: http_url(address, base))


def _cleaned_markup(ready: str, base: str) -> str:
    clean = _SANITISER.clean(ready, base)
    if "&#" in ready:  # `&#x1F;` has become the character itself
        clean = clean_text(clean)
    return _MEDIA_TAG.sub(_finished, clean).strip()


def _finished(match: re.Match[str]) -> str:
    """Return the tag of a picture or player with what is added to it; "" for one that shows nothing."""
    tag, attributes = match[1], match[2]
    if tag is None or (tag in _EMPTY_WITHOUT_ADDRESS and " src=" not in attributes):
        return ""
    return f"<{tag} {ADDED[tag]}{attributes}>" if tag in ADDED else match[0]


def text_as_html(text: str) -> str:
    """Return plain text as markup: blank lines separate paragraphs, single line breaks are kept."""
    lines = [line.strip() for line in text.strip().splitlines()]
    paragraphs = re.split(r"\n{2,}", "\n".join(lines))
    return "".join(f"<p>{html.escape(part, quote=False).replace(chr(10), '<br>')}</p>" for part in paragraphs if part)


def is_excessive(markup: str) -> bool:
    """Return whether markup would make the sanitiser slow: quadratic in depth, attributes and ampersands.

    20,000 nested elements took 1 s, a million bare ampersands 22 s, measured with nh3 0.3. Numeric references are
    cheap, so a text may be written in them.
    """
    if len(markup) < _SHORT and markup.count("<") <= _DEEPEST:
        return False
    if markup.count("&") - markup.count("&#") > _MOST_AMPERSANDS or has_too_many_attributes(markup):
        return True
    tags = _TAGS.findall(in_lower_case(markup))
    unclosed = dict.fromkeys(tags, 0)
    depth = deepest = 0
    for tag in tags:
        if tag[0] != "/":
            if tag in _SELF_CLOSING:
                continue
            unclosed[tag] += 1
            depth += 1
            if depth > deepest:
                deepest = depth
        elif unclosed.get(name := tag[1:]):
            unclosed[name] -= 1
            depth -= 1
    return deepest > _DEEPEST or deepest * len(tags) > _COSTLIEST
