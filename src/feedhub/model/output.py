"""What is published, and for whom."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from feedhub.model.item import StoredItem

FeedFormat = Literal["atom", "rss", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The public face. ``url`` has no trailing slash; ids and self links are built from it."""

    title: str
    url: str
    language: str = "en"
    timezone: str = "UTC"
    author: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A label by our rules that owns output feeds. ``slug`` is also the file name."""

    slug: str
    title: str
    description: str = ""
    entries: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """``dir`` is an absolute path. ``entries`` is the newest N in a feed."""

    dir: str
    formats: tuple[FeedFormat, ...] = ("atom", "rss", "json")
    entries: int = 100
    content: Literal["full", "summary", "none"] = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """``days`` since an item was last offered; ``items`` per category. None keeps for ever."""

    days: int | None = 90
    items: int | None = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFeed:
    """One configured output: a category's feed, or ``all``."""

    slug: str
    title: str
    description: str
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputView:
    """The items chosen for one output feed, newest first. ``updated_at`` is that of its newest change."""

    site: Site
    feed: OutputFeed
    items: tuple[StoredItem, ...]
    updated_at: datetime
    content: Literal["full", "summary", "none"] = "full"
    formats: tuple[FeedFormat, ...] = ("atom", "rss", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorySummary:
    """A category as the manifest, ``status`` and the OPML list name it."""

    slug: str
    title: str
    items: int
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
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
