"""What is fetched, and what came: requests, documents, and what HTTP says about both."""

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
    ``origin``, the configured address, and are sent to no other site. It differs from ``url`` for a further page and
    for a source that moved; "" means ``url`` itself. ``proxy`` is used for every redirect, too.
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
    """One redirect: its status, and the absolute address that it named."""

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
    """A complete answer. ``body`` is decoded from its content coding, not from its charset.

    ``url`` is the final address, the base of relative links. ``digest`` is the SHA-256 in hex of ``body``, or of the
    part of it that is used. ``charset`` is what the HTTP header declares, if anything. ``fetched_at`` (aware UTC) is
    when the answer came; for a local file, when it was last written. ``known_reading`` is the ``ParsedFeed.reading``
    of the source's last document, "" if that is not to be compared; ``known_texts`` are the text digests of what the
    source has offered so far; items are to be ``sketched`` where stories are told. These say nothing about the
    document, so two documents may be equal without them.
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
    sketched: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """The answer that nothing is new: 304, or a local file that was not written since."""

    url: str
    status: int = 304
    validators: Validators = Validators()
    freshness: Freshness = Freshness()
    redirects: tuple[Redirect, ...] = ()
