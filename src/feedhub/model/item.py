"""Articles, from the record a source gave to the normalised item in the store."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import IntEnum
from operator import attrgetter
from typing import Any, ClassVar, Final, Literal, Self

from feedhub.model.story import StoryMember

_become: Final = object.__dict__["__class__"].__set__


class Sent:
    """A frozen dataclass with slots of which every document makes dozens, and workers hand over dozens.

    Python makes a frozen one in five times the time of others, and pickles it in twice: so one of the same shape that
    is not frozen is filled, and becomes the frozen one then. It has two fields or more, and none that it inherits.
    """

    __slots__ = ()
    _values: ClassVar[Callable[[Any], tuple[Any, ...]]]
    _made: ClassVar[Callable[..., Any]]

    def __init_subclass__(cls) -> None:
        """Find the fields of a class, which has them once it has slots."""
        names = cls.__dict__.get("__slots__")
        if not names or not is_dataclass(cls):
            return
        cls._values = attrgetter(*names)
        shape = type(cls.__name__, cls.__bases__, {"__slots__": names})
        known: dict[str, Any] = {"_new": object.__new__, "_become": _become, "_shape": shape, "_frozen": cls}
        # Written out, as dataclasses does it: a loop over names takes several times as long.
        fill = "".join(f"\n self.{name} = {name}" for name in names) + "\n self.__class__ = _frozen\n"
        code = f"def _made({', '.join(names)}):\n self = _new(_shape){fill} return self\n"
        given = {field.name: field for field in fields(cls)}
        if all(field.default_factory is MISSING for field in given.values()):
            known |= {f"_{name}": field.default for name, field in given.items()}
            asked = [name if field.default is MISSING else f"{name}=_{name}" for name, field in given.items()]
            star = ["*"] if given[names[0]].kw_only else []
            code += f"def __init__({', '.join(['self', *star, *asked])}):\n _become(self, _shape){fill}"
        exec(code, known)  # noqa: S102 - made of names of fields
        cls._made = staticmethod(known["_made"])
        if "__init__" in known:
            cls.__init__ = known["__init__"]

    def but(self, **values: object) -> Self:
        """Return the same with other values of some fields, in a third of the time that ``replace`` takes."""
        kind = type(self)
        made: Self = kind._made(**{**dict(zip(kind.__slots__, kind._values(self), strict=True)), **values})
        return made

    def __reduce__(self) -> tuple[Callable[..., "Sent"], tuple[Any, ...]]:
        """Return what makes it again."""
        return _received, (type(self), *type(self)._values(self))


def _received(kind: type[Sent], *values: object) -> Sent:
    made: Sent = kind._made(*values)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Sent):
    """An author as the publisher names them; every field is plain text."""

    name: str
    uri: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure(Sent):
    """An attached file. ``length`` in bytes, ``duration`` in seconds."""

    url: str
    media_type: str | None = None
    length: int | None = None
    duration: int | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Markup(Sent):
    """Text as it came, not yet cleaned. Relative addresses in it are relative to ``base``."""

    value: str
    kind: Literal["html", "text"] = "html"
    base: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedItem(Sent):
    """One record of a document: control characters are gone, dates are read, markup is as its publisher wrote it.

    ``position`` counts from 0 in document order. ``text_digest`` is that of title and visible text without white
    space, so that other markup does not look like an edit. ``received_link`` is the link as it came, where a rule put
    it right. ``published_at`` is None when the record has no date that can be believed; it ``has_rough_date`` where
    that was reckoned from words such as "3 minutes ago" or names a day only.
    """

    position: int
    title: str
    text_digest: str
    guid: str | None = None
    link: str | None = None
    received_link: str | None = None
    published_at: datetime | None = None
    has_rough_date: bool = False
    summary: Markup | None = None
    content: Markup | None = None
    authors: tuple[Person, ...] = ()
    tags: tuple[str, ...] = ()
    language: str | None = None
    image: str | None = None
    comments: str | None = None
    enclosures: tuple[Enclosure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What a second request gave for one record: its content, and the fields that only the detail has."""

    content: Markup | None = None
    item: ParsedItem | None = None


LEFT_OUT_BY_WHERE: Final = "left out by where"
"""How the reason of a record begins that the configuration of its source leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Sent):
    """A record that could not become an item, and why; kept in the ledger."""

    position: int
    reason: str
    title: str = ""
    link: str | None = None
    guid: str | None = None


Terms = tuple[str, str]
"""Search terms of an item's title and of its other text (``rules/text.py``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed(Sent):
    """What one document says: its own title and link, its items in document order, how often it wants to be polled.

    ``ttl`` is the interval the feed asks for (``ttl``, ``sy:updatePeriod``), in seconds. ``cursor`` is what the request
    for the next page needs, where a source is paged by cursor.

    ``reading`` is a digest of all that was read and is used (build dates and counters are not): two documents with one
    reading say the same. When it equals the document's ``known_reading``, the items are left out; it is None for kinds
    without such a digest. ``cleaned`` holds, by position, items that were cleaned where they were read: those that the
    source had not given before, and ``sketches`` by what the stories of these are found, where stories are told. Others
    are cleaned when they are stored. ``is_apart``: each record was read by itself,
    from bytes in UTF-8 as they came.
    """

    title: str
    items: tuple[ParsedItem, ...]
    link: str | None = None
    language: str | None = None
    ttl: int | None = None
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()
    cursor: str | None = None
    reading: str | None = None
    cleaned: "Mapping[int, Item]" = field(default_factory=dict)
    sketches: Mapping[int, bytes] = field(default_factory=dict)
    is_apart: bool = False


PLAYERS: Final = (
    ("www.youtube.com", "/embed/"),
    ("youtube.com", "/embed/"),
    ("www.youtube-nocookie.com", "/embed/"),
    ("youtube-nocookie.com", "/embed/"),
    ("player.vimeo.com", "/video/"),
    ("player.bilibili.com", "/"),
    ("open.spotify.com", "/embed"),
    ("w.soundcloud.com", "/player"),
)
"""Hosts whose players may be shown in a frame, and how the paths of those begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Sent):
    """One normalised article in the wording of one source: markup clean, addresses absolute.

    ``summary`` and ``content`` are sanitised HTML fragments; everything else is plain text. ``published_at`` is the
    date that this source gives; the stored item keeps the one that it was given first.
    """

    title: str
    guid: str | None = None
    link: str | None = None
    summary: str | None = None
    content: str | None = None
    authors: tuple[Person, ...] = ()
    tags: tuple[str, ...] = ()
    language: str | None = None
    image: str | None = None
    comments: str | None = None
    enclosures: tuple[Enclosure, ...] = ()
    published_at: datetime | None = None


class Received(IntEnum):
    """What is stored of what a source said of an item."""

    FINAL = 0
    """What rules made of it: stored by a version that did not keep what was received."""
    WHOLE = 1
    """All of it, as cleaned, before any rule."""
    LISTED = 2
    """As its list gave it: a rule dropped it before the second request was made."""
    FORGOTTEN = 3
    """Nothing: it was taken down for good, and is not presented again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDates:
    """The instants of an item that rules may ask for: when it was ``published``, as outputs show it, and when the
    source whose wording is filed gave it first. Both stay what they were at first."""

    published_at: datetime
    first_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem(Sent):
    """An item as an output shows it: permanent id, fixed published time, the wording chosen for that output.

    ``id`` is a ``urn:uuid:`` (SPEC §4). Instants are aware UTC. ``source`` names the source whose wording
    this is; ``source_title`` and ``source_link`` are what that source's document calls itself.
    ``categories`` are the titles of every category that holds the item. ``is_twin`` tells that an item stored earlier
    has an id with the same first eight digits, so that this one needs all of its own to be told from it. ``reports``
    are other items that say or report the same, as far as the configuration lets outputs name them.
    """

    id: str
    item: Item
    source: str
    published_at: datetime
    updated_at: datetime
    source_title: str = ""
    source_link: str | None = None
    source_url: str | None = None
    categories: tuple[str, ...] = ()
    is_twin: bool = False
    reports: tuple[StoryMember, ...] = ()
