"""What is published: the site, its outputs, what each file shows, and what our pages may load."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, Literal

from feedhub.model.item import PLAYERS, Sent, StoredItem
from feedhub.model.source import Health

Content = Literal["full", "summary", "none"]
"""How much text of an item a feed shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The published site as a whole. ``url`` has no trailing slash; ids and self links are built from it."""

    title: str
    url: str
    language: str = "en"
    timezone: str = "UTC"
    author: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A label that our configuration gives to items; it owns output feeds. ``slug`` is also their file name.

    ``formerly`` are slugs that it had before. ``digest_at`` is when the days of its digest end, ``HH:MM`` in the zone
    of the site; None for no digest.
    """

    slug: str
    title: str
    description: str = ""
    entries: int | None = None
    per_source: int | None = None
    formerly: tuple[str, ...] = ()
    digest_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """``dir`` is an absolute path. ``archive_formats`` are those of ``formats`` in which archives are; () is the first.

    ``entries`` is the newest N in a feed, ``per_source`` how many items of a day each source has there; None for any
    number. ``hub`` is the address of a WebSub hub.

    ``templates`` are (name, text) of the files that replace our own, such as ``item.html`` and ``style.css``.
    ``search`` puts a search box on the pages: it needs the web server.
    """

    dir: str
    formats: tuple[str, ...] = ("atom", "rss", "json")
    archive_formats: tuple[str, ...] = ()
    entries: int = 100
    per_source: int | None = None
    content: Content = "full"
    pages: bool = True
    templates: tuple[tuple[str, str], ...] = ()
    hub: str | None = None
    search: bool = False

    @property
    def archived_in(self) -> tuple[str, ...]:
        """The formats in which archives are written."""
        return self.archive_formats or self.formats[:1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """``days`` since an item was last offered; ``items`` per category. None keeps for ever."""

    days: int | None = 90
    items: int | None = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFeed:
    """One configured output: a category's feed, or ``all``. Of each source it shows ``per_source`` items of a day."""

    slug: str
    title: str
    description: str
    entries: int
    per_source: int | None = None


class PublishReason(Enum):
    """Why an output is published, or is not."""

    CHANGED = "it changed"
    NAMED = "it was asked for"
    EVERYTHING = "everything was asked for"
    FIRST = "nothing is known of what is in the folder"
    STORE = "the folder followed another store, or this one before it was restored from a backup"
    SETTINGS = "the configuration of what is written changed"
    DESIGN = "the pages are of another design"
    UNCHANGED = "nothing in it changed"
    NOT_NAMED = "only others were asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputChoice:
    """Whether an output is published, and why."""

    slug: str
    reason: PublishReason

    @property
    def is_published(self) -> bool:
        """Whether its files are rendered."""
        return self.reason not in (PublishReason.UNCHANGED, PublishReason.NOT_NAMED)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Part:
    """One document of an output's archive or page of its list: a month of the site's time zone, or a part of one.

    ``month`` is ``YYYY-MM``; the older part is the lesser one. ``number`` counts from the oldest items of the month, so
    that a new item moves none of the older parts.
    """

    month: str
    number: int = 1

    @property
    def name(self) -> str:
        """The name of its files: ``2026-11``, ``2026-11-2``."""
        return self.month if self.number == 1 else f"{self.month}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputView(Sent):
    """The items chosen for one output feed or page of its list, newest first; ``updated_at`` is that of a change.

    ``part`` is None for the feed that is subscribed to and the first page, else the document of the archive or the page
    that this is. ``older`` and ``newer`` are its neighbours there (RFC 5005 §4). ``hub`` is the address of a WebSub
    hub. ``has_pages`` tells whether pages are published beside the feeds, ``is_removed`` that there is none of this
    one any more, because its category was removed. ``archive_formats`` are the formats of the archive's documents.
    """

    site: Site
    feed: OutputFeed
    items: tuple[StoredItem, ...]
    updated_at: datetime
    content: Content = "full"
    part: Part | None = None
    older: Part | None = None
    newer: Part | None = None
    hub: str | None = None
    has_pages: bool = True
    is_removed: bool = False
    archive_formats: tuple[str, ...] = ("atom",)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFormat:
    """A format of feeds. ``name`` is what ``output.formats`` calls it and the ending of its files.

    ``render`` returns the file of a view. It does no I/O and gives the same bytes for the same view. The texts of a
    view come from strangers; ``publish/entry.py: entries_of`` makes them and their addresses safe to write.
    ``title`` is the name of the format for people.
    """

    name: str
    title: str
    media_type: str
    render: Callable[[OutputView], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatTable:
    """The formats that outputs may have. ``broken`` pairs the names of others with why they cannot be used."""

    formats: tuple[OutputFormat, ...]
    broken: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOutputs:
    """What an earlier manifest names: the slugs of categories, the formats of their feeds, and when each changed.

    ``changed`` has None for a feed that is empty.
    """

    slugs: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    changed: Mapping[str, datetime | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorySummary(Sent):
    """A category as the manifest, ``status`` and the OPML list name it.

    ``changed_at`` is the newest change of what its feed shows; None where there is none, or it was not asked for.
    ``version`` is raised whenever what it shows changes.
    """

    slug: str
    title: str
    items: int
    changed_at: datetime | None = None
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedBefore:
    """What a store of schema 8 knew of its output folder: up to which number what was published, of which settings."""

    number: int
    posts: int
    health: int
    settings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedCategory:
    """A category that was removed. ``entries`` is how many its feed shows, None for as many as others."""

    slug: str
    title: str
    removed_at: datetime
    description: str = ""
    entries: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile(Sent):
    """``path`` is relative to the output folder, with forward slashes."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PostSettings:
    """Jekyll posts. Paths are relative to the output folder.

    ``template`` is the text of a Jinja2 template, None for the default. ``filename`` is a template over ``date``
    (in the site's time zone), ``id``, ``guid`` and ``slug``. Posts whose day is more than ``keep_days`` days ago lie in
    ``archive``; None keeps all in ``dir``.
    """

    dir: str = "_posts"
    template: str | None = None
    filename: str = "{date}-{id}.md"
    keep_days: int | None = None
    archive: str = "old_post"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostView:
    """One Jekyll post: an item in the wording of one source, in the category which that source files it under."""

    site: Site
    item: StoredItem
    category: Category


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedPost:
    """An item that is no longer shown in a category, so that its post there is to be removed."""

    slug: str
    item_id: str
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSource(Sent):
    """Another source that reported an item, and where. ``source`` is its name, ``title`` what it calls itself."""

    source: str
    title: str
    link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageItem(Sent):
    """An item as its page shows it, in the wording of its owner.

    ``slugs`` belong to ``item.categories``, in the same order. ``also`` are the other sources, first seen first.
    Of a ``removed`` item only the id and the published time mean anything.
    """

    item: StoredItem
    slugs: tuple[str, ...] = ()
    also: tuple[OtherSource, ...] = ()
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemVersion(Sent):
    """Which item an output shows, where in its order, and in the wording of which ``source``.

    ``change_number`` is that of its newest change.
    """

    id: str
    published_at: datetime
    change_number: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView(Sent):
    """The page of one item; ``view`` holds nothing but that item."""

    view: OutputView
    page: PageItem


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryView:
    """A category on the front page: its newest items, newest first, and how many it holds.

    ``items`` are None where the renderer remembers what it made of them (``PageRenderer.remembers``).
    """

    summary: CategorySummary
    items: tuple[StoredItem, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontView:
    """The front page: the newest items of all, the newest of every category, older pages of the list of everything."""

    latest: OutputView
    categories: tuple[CategoryView, ...]
    months: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine(Sent):
    """A source as the sources page names it. ``newest_at`` is when it last gave an item that was new.

    ``link`` is its own page; ``slugs`` are the categories where it is filed, with their titles.
    """

    name: str
    title: str
    state: Health
    link: str | None = None
    url: str | None = None
    newest_at: datetime | None = None
    failing_since: datetime | None = None
    slugs: tuple[tuple[str, str], ...] = ()


_PLAYER_HOSTS: Final = " ".join(f"https://{host}" for host, _ in PLAYERS)


def page_policy(*, pictures: bool = True, media: bool = True, frames: bool = True) -> str:
    """Return the Content-Security-Policy of a page: nothing runs; what it does not have may not be loaded.

    Pictures, sound and film of articles come from anywhere, frames from hosts of players.
    """
    allowed = (
        "default-src 'none'; style-src 'self'; img-src 'self'",
        " http: https: data:" if pictures else "",
        "; media-src http: https:" if media else "",
        f"; frame-src {_PLAYER_HOSTS}" if frames else "",
        "; base-uri 'none'; form-action 'self'",
    )
    return "".join(allowed)


PAGE_POLICY: Final = page_policy()
"""The policy of a page of which nobody knows what it has."""
