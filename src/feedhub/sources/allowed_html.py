"""What sanitised markup may contain: the allow-list (SPEC §9, GUARANTEES 11 and 12)."""

import re

from feedhub.sources.addresses import http_url

_STRUCTURE = (
    "article aside blockquote br caption col colgroup dd details div dl dt figcaption figure footer h1 h2 h3 h4"
)
_MORE_STRUCTURE = "h5 h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
_PHRASES = "a abbr b bdi bdo cite code del dfn em i ins kbd mark q rp rt ruby s samp small span strike strong sub sup"
_MEDIA = "time tt u var wbr audio iframe img source video"
_HIDDEN = "script style svg math object embed applet template title head noembed noframes select textarea frameset xmp"

TAGS = frozenset(f"{_STRUCTURE} {_MORE_STRUCTURE} {_PHRASES} {_MEDIA}".split())
# Their text is no text for readers. (nh3 keeps the content of other tags that are not allowed.)
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
# Written by us after sanitising: nh3 adds attributes in an order that differs from run to run.
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
_NUMBER = re.compile(r"\s*(-?\d{1,5})(?:px|\.\d+)?\s*")
_PLAYERS = re.compile(
    r"https?://(?:www\.youtube(?:-nocookie)?\.com/embed/|youtube(?:-nocookie)?\.com/embed/|player\.vimeo\.com/video/"
    r"|player\.bilibili\.com/|open\.spotify\.com/embed|w\.soundcloud\.com/player)"
)
_RASTER = re.compile(r"data:image/(?:png|jpe?g|gif|webp|avif|bmp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)


def allowed_value(tag: str, name: str, value: str, base: str) -> str | None:
    """Return what an attribute may say, addresses made absolute against ``base``; None drops it."""
    if name in _NUMBERS:
        number = _NUMBER.fullmatch(value)
        return number[1] if number else None
    if name not in _ADDRESSES:
        return value
    text = value.strip()
    if tag == "img" and _RASTER.fullmatch(text):
        return text
    if tag == "a" and text[:7].lower() == "mailto:":
        return text
    if text.startswith("#"):
        return None  # ids are dropped, so nothing inside the text can be pointed at
    address = http_url(text, base)
    if tag == "iframe":
        return re.sub("^http:", "https:", address) if address and _PLAYERS.match(address) else None
    return address
