"""Header fields of answers: media types, and what guarantee 16 asks for."""

from typing import Final

from feedhub.publish.addresses import MEDIA_TYPES

Headers = list[tuple[bytes, bytes]]

# Pictures and players of articles come from where their publishers keep them; nothing of ours comes from elsewhere.
# The hosts of players are those that the sanitiser lets through (sources/allowed_html.py).
_PLAYERS: Final = (
    "https://www.youtube.com https://youtube.com https://www.youtube-nocookie.com https://youtube-nocookie.com "
    "https://player.vimeo.com https://player.bilibili.com https://open.spotify.com https://w.soundcloud.com"
)
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' http: https: data:; media-src http: https:; "
    f"frame-src {_PLAYERS}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY: Final[Headers] = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
ALLOWED: Final = (b"allow", b"GET, HEAD")

_TEXT: Final = "; charset=utf-8"
_TYPES: Final = {
    "atom": MEDIA_TYPES["atom"] + _TEXT,
    "rss": MEDIA_TYPES["rss"] + _TEXT,
    "xml": "application/xml" + _TEXT,
    "opml": "text/x-opml" + _TEXT,
    "json": "application/json",
    "html": "text/html" + _TEXT,
    "css": "text/css" + _TEXT,
    "txt": "text/plain" + _TEXT,
    "md": "text/markdown" + _TEXT,
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "ico": "image/vnd.microsoft.icon",
    "woff2": "font/woff2",
    "mp3": "audio/mpeg",
}
_OTHER: Final = "application/octet-stream"
_PRESSED: Final = frozenset({"atom", "rss", "xml", "opml", "json", "html", "css", "txt", "md", "svg"})


def media_type(path: str) -> str:
    """Return the media type of a published file. Unknown ones are bytes: nothing is guessed, nothing runs."""
    kind = _ending(path)
    return MEDIA_TYPES["json"] if kind == "json" and path.startswith("feeds/") else _TYPES.get(kind, _OTHER)


def is_compressible(path: str) -> bool:
    """Tell whether gzip makes a file of this kind smaller."""
    return _ending(path) in _PRESSED


def _ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2].lower()
