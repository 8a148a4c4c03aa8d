"""What is asked of the world, and what it answers."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """``ETag`` and ``Last-Modified`` exactly as received (RFC 9110 §8.8); opaque."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to fetch. ``timeout`` is the total in seconds, ``max_size`` counts decoded bytes.

    ``url`` is ``http(s)://…`` or ``file:///…``. ``headers``, ``body`` and a user in the address were given for
    ``origin``, the configured address, and are sent to no other site; "" means ``url`` itself, a source that moved has
    another one. ``proxy`` is the way out for all of them.
    """

    url: str
    validators: Validators = Validators()
    headers: tuple[tuple[str, str], ...] = ()
    proxy: str | None = None
    timeout: float = 30.0
    max_size: int = 10_000_000
    user_agent: str = "feedhub"
    method: str = "GET"
    body: bytes | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """One hop: the status that sent us on, and the absolute address it named."""

    status: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """What the server says about asking again. ``max_age`` in seconds, instants aware UTC."""

    max_age: int | None = None
    expires_at: datetime | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A complete answer. ``body`` is decoded from its transfer coding, not from its charset.

    ``url`` is the final address, the base of relative links. ``digest`` is the SHA-256 of ``body`` in hex,
    or of as much of it as is used.
    ``charset`` is what the HTTP header declares, if anything. ``fetched_at`` (aware UTC) is when the answer came; for a
    local file, when it was last written. It is no part of what the document says: two equal answers are equal.
    ``known_reading`` is the ``ParsedFeed.reading`` of the source's last document, "" if that is not to be compared;
    ``known_texts`` are the text digests of what the source offered so far.
    """

    url: str
    body: bytes
    digest: str
    status: int = 200
    content_type: str | None = None
    charset: str | None = None
    validators: Validators = Validators()
    freshness: Freshness = Freshness()
    redirects: tuple[Redirect, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    fetched_at: datetime | None = field(default=None, compare=False)
    known_reading: str = field(default="", compare=False, repr=False)
    known_texts: frozenset[str] = field(default=frozenset(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """The source said that nothing is new (304, or a local file untouched)."""

    url: str
    status: int = 304
    validators: Validators = Validators()
    freshness: Freshness = Freshness()
    redirects: tuple[Redirect, ...] = ()
