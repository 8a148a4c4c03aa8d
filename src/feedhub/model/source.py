"""How records of a JSON API or a page become items (SPEC §3.1). Paths are JMESPath for JSON, CSS selectors for HTML."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Literal

from feedhub.model.document import Validators
from feedhub.model.identity import KeyPattern
from feedhub.model.item import Sent
from feedhub.model.kind import OptionValue

NAMED_FORMATS = ("iso", "epoch", "epoch_ms", "epoch_us", "relative")
"""Dates that have a name; others are strptime patterns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """Where the value of one field comes from, and what is done to it, in this order.

    The first of ``paths`` that is present wins, else ``template`` is filled in (``{id}`` is a mapped field or a key
    of the record). ``match`` keeps its first group, ``strip`` removes what it matches. ``limit`` keeps the first N
    characters. ``formats`` reads dates: strptime patterns, ``iso``, ``epoch``, ``epoch_ms``, ``epoch_us`` or
    ``relative``; none means that every known form is tried. ``base`` is what a relative address is joined to.
    """

    paths: tuple[str, ...] = ()
    template: str | None = None
    match: str | None = None
    strip: str | None = None
    limit: int | None = None
    formats: tuple[str, ...] = ()
    base: str | None = None
    kind: Literal["html", "text", "markdown"] = "html"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMap:
    """The list and its records. ``items`` None means the document itself.

    Records for which ``where`` does not hold are left out; a document for which ``error`` holds is a failed poll.
    """

    fields: tuple[tuple[str, FieldMap], ...]
    items: str | None = None
    where: str | None = None
    error: str | None = None

    def field(self, name: str) -> FieldMap | None:
        """Return the map of a field, or None when it is not mapped."""
        return dict(self.fields).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailMap:
    """The second request, made once for each new item. ``url`` is a template; None means the item's link.

    Exactly one of ``path`` (JMESPath in a JSON answer), ``css`` and ``extract`` says where the content is.
    ``fields`` read further fields from a JSON answer. ``replace`` are literal pairs, applied in order.
    """

    url: str | None = None
    path: str | None = None
    css: str | None = None
    extract: Literal["article"] | None = None
    fields: tuple[tuple[str, FieldMap], ...] = ()
    replace: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMap:
    """Further pages of a list, at most ``max`` in all.

    ``param`` counts from ``start`` in steps of ``step`` in that query parameter; ``{page}`` in the address counts
    likewise. ``cursor`` is a JMESPath whose value goes into ``param`` or ``{cursor}``. ``link`` follows ``rel=next``.
    """

    param: str | None = None
    start: int = 1
    step: int = 1
    max: int = 1
    cursor: str | None = None
    link: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryMap:
    """A category for each value of a field, such as one per medium. ``title`` is a template over the item's fields.

    ``slug``: ``pinyin`` reads words, ``pinyin-chars`` character by character.
    """

    field: str
    title: str
    slug: Literal["pinyin", "pinyin-chars"] = "pinyin"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGroup:
    """Hosts that count as one: their names match ``pattern``, a glob. ``gap`` in seconds between two requests."""

    pattern: str
    concurrent: int
    gap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PollSettings:
    """Pacing and limits. Intervals and ``timeout`` in seconds, ``max_size`` in decoded bytes.

    ``allow_private`` lists hosts, networks and host:port pairs that may be reached although private.
    Of ``host_groups`` the first that matches counts. ``retry_after`` says what a ``Retry-After`` of a server holds
    for: the address that was asked, or every source on its host. The defaults are those of the YAML keys under
    ``poll``, too: ``config/schema.py`` takes them from here.
    """

    every: float = 900.0
    min: float = 60.0
    max: float = 86_400.0
    workers: int = 32
    timeout: float = 30.0
    max_size: int = 10_000_000
    host_concurrent: int = 2
    host_gap: float = 1.0
    host_groups: tuple[HostGroup, ...] = ()
    retry_after: Literal["url", "host"] = "url"
    user_agent: str = "feedhub"
    allow_private: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupeSettings:
    """What a user knows of a source that its records do not say.

    Parameters whose names match ``ignore_parameters`` (globs) never tell addresses apart. Records with one title whose
    dates are at most ``same_title`` seconds apart are one item; ``across`` sources that share a configured category,
    too.
    """

    ignore_parameters: tuple[str, ...] = ()
    same_title: float | None = None
    across: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One configured upstream. ``url`` is ``http(s)://`` or ``file://``.

    ``title`` is what people read instead of what its document calls itself; "" where that is shown.
    ``categories`` are slugs. ``timezone`` is an IANA name, already filled from the site's where not given.
    ``limit`` keeps the newest N records of a document. ``place`` is ``FILE:LINE`` of its configuration.
    ``broken`` says why this source cannot be used although the rest of the configuration can.
    ``settings_digest`` changes when anything changes that decides what a document of this source means:
    a document is then read again although it did not change. ``schedule`` is a cron expression of five fields whose
    days of the week are names; ``auto`` follows the rhythm of the source; a ``paused`` source is not polled.
    ``stale_after`` is how long, in seconds, it may bring nothing new before it counts as stale: infinite is never,
    None goes by its own rhythm. ``options`` are the keys that only its kind has, but for those that became ``records``
    and ``pages`` (``model/kind.py``).
    """

    name: str
    url: str
    title: str = ""
    kind: str = "feed"
    categories: tuple[str, ...] = ()
    every: float | None = None
    encoding: str | None = None
    timezone: str = "UTC"
    headers: tuple[tuple[str, str], ...] = ()
    proxy: str | None = None
    limit: int | None = None
    content: Literal["sanitize", "trust", "text"] = "sanitize"
    identity: tuple[KeyPattern, ...] = ()
    dedupe: DedupeSettings = DedupeSettings()
    timeout: float = 30.0
    max_size: int = 10_000_000
    user_agent: str = "feedhub"
    place: str = ""
    broken: str | None = None
    settings_digest: str = ""
    schedule: str | None = None
    auto: bool = False
    stale_after: float | None = None
    paused: bool = False
    method: str = "GET"
    body: str | None = None
    records: RecordMap | None = None
    detail: DetailMap | None = None
    pages: PageMap | None = None
    category_map: CategoryMap | None = None
    sign: str | None = None
    formerly: tuple[str, ...] = ()
    options: tuple[tuple[str, OptionValue], ...] = ()

    def option(self, name: str) -> OptionValue | None:
        """Return what a key of the source's kind says; None when it is not given and has no default."""
        return dict(self.options).get(name)


class Health(Enum):
    """How a source is. The values are what JSON, metrics and style sheets say; ``rules/health.py`` decides."""

    OK = "ok"
    FAILING = "failing"
    """The last poll failed."""
    STALE = "stale"
    """It answers, and has brought nothing new for longer than is usual for it."""
    GONE = "gone"
    """The server said that it is gone for good; it is not polled any more."""
    PAUSED = "paused"
    """Not polled, because the configuration says so."""
    BROKEN = "broken"
    """It cannot be used as it is configured."""
    NEW = "new"
    """Not polled yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState(Sent):
    """What is remembered about a source between polls. Instants are aware UTC.

    ``validators``, ``body_digest`` and ``reading_digest`` belong to the last document that was parsed and stored;
    ``configured_url`` is the address in the configuration when that was done. ``failures`` counts failed polls since
    the last success, which began at ``failing_since``. ``gone`` is set by 410.

    ``title`` is what people read; ``own_title`` is what its document calls itself, where the configuration has another.
    ``moved_to`` is the address that is asked instead of the configured one; ``move_target`` is where permanent
    redirects led on the last ``move_sightings`` polls in a row. ``rhythm`` is how many items came lately, older ones
    counting less (``rules/health.py``). ``reported_health`` is what the health feed said last. ``pacing`` says how the
    source was scheduled, so that a change of that is noticed.
    """

    name: str
    validators: Validators = Validators()
    body_digest: str | None = None
    reading_digest: str | None = None
    settings_digest: str | None = None
    title: str = ""
    own_title: str | None = None
    link: str | None = None
    ttl: int | None = None
    last_poll_at: datetime | None = None
    last_success_at: datetime | None = None
    next_poll_at: datetime | None = None
    failures: int = 0
    last_error: str | None = None
    http_status: int | None = None
    configured_url: str | None = None
    gone: bool = False
    first_success_at: datetime | None = None
    last_new_at: datetime | None = None
    failing_since: datetime | None = None
    rhythm: float = 0.0
    moved_to: str | None = None
    move_target: str | None = None
    move_sightings: int = 0
    reported_health: Health = Health.OK
    pacing: str | None = None
    warnings: tuple[str, ...] = ()
    changing: frozenset[str] = frozenset()


class PollReason(Enum):
    """What decides about the time of a source's next poll."""

    INTERVAL = "its interval"
    RHYTHM = "its rhythm (every: auto)"
    SCHEDULE = "its schedule"
    TTL = "the ttl of the feed"
    MAX_AGE = "max-age of the answer"
    EXPIRES = "Expires of the answer"
    RETRY_AFTER = "Retry-After of the answer"
    BACKOFF = "the wait after failures"
    GONE = "the server says that it is gone"
    HOST = "its host wants to be left alone"
    NO_NETWORK = "no source could be reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPoll:
    """When a source is polled next, None for never, and why. ``limit`` is the setting that a wish was clamped to."""

    at: datetime | None
    reason: PollReason
    limit: Literal["min", "max"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPoll:
    """When a source is due. ``host`` is the key that requests are limited by (``rules/pacing.py: host_key``)."""

    name: str
    host: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A node of a rule's condition tree.

    ``kind`` is ``all``, ``any`` or ``not`` (over ``parts``), or the name of a field (``rules/categorize.py``), of whose
    ``values`` one is wanted.
    """

    kind: str
    values: tuple[str, ...] = ()
    parts: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """Puts ``replacement`` for every match of ``pattern`` in ``field`` (title, content, summary, author or link)."""

    field: str
    pattern: str
    replacement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One routing rule, in the order of the configuration. ``name`` is unique and shown by ``explain``."""

    name: str
    when: Condition
    drop: bool = False
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    replace: tuple[Replacement, ...] = ()
    stop: bool = False
    is_apart: bool = False
