"""The tables as they are now, and how values become columns: instants, wordings and states, keys.

Migrations make the tables of SQLite, and a test holds the two together; those of PostgreSQL are made of these. A
conditional index names SQLite's condition only: another dialect's would be imported with every command.

Instants are whole microseconds since 1970 UTC: exact, ordered, and the same in every database. Wordings and states are
compact JSON with sorted keys that holds only what differs from the defaults. Unknown members are ignored, so that an
older feedhub can read what a newer one of the same schema wrote.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    type_coerce,
)
from sqlalchemy.types import TypeDecorator

from feedhub.model.identity import Evidence, Sighting
from feedhub.model.item import Enclosure, Item, Person
from feedhub.model.source import CategoryMap, Source
from feedhub.store.status import dump, instant, known, microseconds, present

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_WORTH_PACKING: Final = 300
_PACKER: Final = zstd.ZstdCompressor(level=1)  # made for each text, it takes twice as long
AnyRow = Row[*tuple[Any, ...]]


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as microseconds since the epoch."""

    impl = BigInteger
    cache_ok = True

    # SQLAlchemy would call two more functions around each of these, for each value.

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:
        """Return what refuses naive datetimes (TypeError), and keeps the rest exactly."""
        return _microseconds

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | None], datetime | None]:
        """Return what gives back what was bound."""
        return instant


def _microseconds(value: datetime | None) -> int | None:
    return None if value is None else microseconds(value)


class Wording(TypeDecorator[str]):
    """A long text. SQLite, which compresses nothing, is given a frame of Zstandard (RFC 8878), half as long.

    A text that stands there as it is was written by a version before, or is short.
    """

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | bytes | None] | None:
        """Return what packs a text, where the database does not do so itself."""
        return _packed if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | bytes | None], str | None] | None:
        """Return what gives back what was bound."""
        return unpacked if dialect.name == "sqlite" else None


def _packed(text: str | None) -> str | bytes | None:
    if text is None or len(text) < _WORTH_PACKING:
        return text
    return _PACKER.compress(text.encode(), _PACKER.FLUSH_FRAME)


def unpacked(stored: str | bytes | None) -> str | None:
    """Return a long text as SQLite was given it."""
    return zstd.decompress(stored).decode() if isinstance(stored, bytes) else stored


metadata = MetaData()

sources = Table(
    "sources",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False, server_default=""),
    Column("link", Text),
    Column("url", Text),
    Column("last_poll_at", Instant),
    Column("last_success_at", Instant),
    Column("next_poll_at", Instant),
    Column("state", Text),  # JSON of the rest of SourceState; NULL: never polled
    Column("filed_digest", Text),
    Column("host", Text, nullable=False, server_default=""),
    Column("scheduled", Integer, nullable=False, server_default="0"),
    Column("filed_to", Integer),  # the last item that was refiled for filed_digest; NULL: all are
    Column("filed_as", Text),  # what filing asks of its configuration, as JSON; NULL: by a version that did not keep it
)
Index(
    "sources_due",
    sources.c.next_poll_at,
    sqlite_where=sources.c.scheduled == 1,
)

items = Table(
    "items",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("owner_id", Integer, ForeignKey("sources.id"), nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("position", Integer, nullable=False),
    Column("removed_at", Instant),
    Column("shown_by", Integer, ForeignKey("sources.id")),  # whose wording all shows; NULL: the item is not shown
    Column("hidden_at", Instant),
    Column("hidden_reason", Text),
    Column("unlisted", Integer),  # WAITING or FOLDED; NULL: all lists the item if it is shown
)
# Of a new item, which no output lists before its story is known; of one instead of which ``all`` lists another report.
WAITING: Final = 1
FOLDED: Final = 2
Index(
    "items_newest",
    items.c.published_at.desc(),
    items.c.first_seen_at.desc(),
    items.c.position,
    sqlite_where=items.c.shown_by.is_not(None) & items.c.unlisted.is_(None),
)
Index(
    "items_removed",
    items.c.removed_at,
    sqlite_where=items.c.removed_at.is_not(None),
)

identity_keys = Table(
    "identity_keys",
    metadata,
    Column("text", Text, primary_key=True),
    Column("item_pk", Integer, ForeignKey("items.pk"), nullable=False),
    Column("strength", Integer, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("is_section", Integer, nullable=False, server_default="0"),  # an address that was given to different items
)
Index("identity_keys_item", identity_keys.c.item_pk, identity_keys.c.strength)

distrusted_keys = Table(
    "distrusted_keys",
    metadata,
    Column("source_id", Integer, ForeignKey("sources.id"), primary_key=True),
    Column("key", Text, primary_key=True),
)

# A sighting is offered while ``left_at`` is NULL.
sightings = Table(
    "sightings",
    metadata,
    Column("item_pk", Integer, ForeignKey("items.pk"), primary_key=True),
    Column("source_id", Integer, ForeignKey("sources.id"), primary_key=True),
    Column("guid", Text),
    Column("url_key", Text),
    Column("title", Text, nullable=False),
    Column("text_digest", Text, nullable=False),
    Column("extras_digest", Text, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("left_at", Instant),
    Column("wording", Wording, nullable=False),
    Column("touched", Integer, nullable=False, server_default="0"),
    Column("evidence", Text),  # NULL: written by a version that did not keep it
    Column("effect", Wording),  # what the rules change in the wording, as JSON; NULL: nothing
    Column("dropped_by", Text),  # the rule; NULL: none
    Column("received", Integer, nullable=False, server_default="0"),  # model/item.py: Received
    Column("record_digest", Integer),  # of the record that this was read in; NULL: it is to be read again
)
Index("sightings_touched", sightings.c.touched)
Index("sightings_url_key", sightings.c.url_key)
Index(
    "sightings_offered",
    sightings.c.source_id,
    sightings.c.item_pk,
    sqlite_where=sightings.c.left_at.is_(None),
)
Index("sightings_first_seen", sightings.c.source_id, sightings.c.first_seen_at)

# Every source's own filing of an item, so that a membership can pass on when its source gives it up.
filings = Table(
    "filings",
    metadata,
    Column("item_pk", Integer, ForeignKey("items.pk"), primary_key=True),
    Column("source_id", Integer, ForeignKey("sources.id"), primary_key=True),
    Column("slug", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
)
Index("filings_slug", filings.c.slug, filings.c.item_pk)

memberships = Table(
    "memberships",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("item_pk", Integer, ForeignKey("items.pk"), primary_key=True),
    Column("source_id", Integer, ForeignKey("sources.id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("position", Integer, nullable=False),
)
Index(
    "memberships_newest",
    memberships.c.slug,
    memberships.c.published_at.desc(),
    memberships.c.first_seen_at.desc(),
    memberships.c.position,
)
Index("memberships_item", memberships.c.item_pk)
Index("memberships_source", memberships.c.source_id, memberships.c.slug)

# Memberships that ended otherwise than by retention: their posts go.
ended_memberships = Table(
    "ended_memberships",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("item_pk", Integer, ForeignKey("items.pk"), primary_key=True),
    Column("number", Integer, nullable=False),
)
Index("ended_memberships_number", ended_memberships.c.number)
Index("ended_memberships_item", ended_memberships.c.item_pk)

categories = Table(
    "categories",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("version", Integer, nullable=False),  # the number of the newest change in what its output shows
    Column("added_at", Instant, nullable=False),
    Column("from_records", Integer, nullable=False, server_default="0"),
    Column("items", Integer, nullable=False, server_default="0"),  # as many as it holds
    Column("entries", Integer),  # that its feed shows; NULL: as many as others
)
Index("categories_title", categories.c.title)

# Items that searches cannot find yet; the index of the full text has all others that are shown.
unindexed_items = Table("unindexed_items", metadata, Column("item_pk", Integer, primary_key=True, autoincrement=False))

# ``shown`` is JSON: pairs of item and source, newest first.
removed_categories = Table(
    "removed_categories",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("entries", Integer),
    Column("shown", Text, nullable=False),
    Column("removed_at", Instant),
)

# Of the items of the last days, by what others are found to be the same or to tell of the same event.
story_sketches = Table(
    "story_sketches",
    metadata,
    Column("item_pk", Integer, ForeignKey("items.pk"), primary_key=True),
    Column("sketch", LargeBinary, nullable=False),
    Column("waits", Integer),  # NULL: it was placed
)
Index("story_sketches_waiting", story_sketches.c.item_pk, sqlite_where=story_sketches.c.waits.is_not(None))
story_keys = Table(
    "story_keys",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("item_pk", Integer, ForeignKey("items.pk"), primary_key=True),
    sqlite_with_rowid=False,
)

# Items that are alone have no row, unless something came close or somebody parted them. ``text`` and ``story`` are the
# number of one item of each; ``misses`` are pairs of an item and what kept it apart, as JSON.
story_members = Table(
    "story_members",
    metadata,
    Column("item_pk", Integer, ForeignKey("items.pk"), primary_key=True),
    Column("story", Integer, nullable=False),
    Column("text", Integer, nullable=False),
    Column("how", Text, nullable=False),
    Column("other_pk", Integer),
    Column("reason", Text),
    Column("misses", Text),
)
Index("story_members_story", story_members.c.story)

# What an output does not list, and what it lists instead. Such an item has no membership there.
story_folds = Table(
    "story_folds",
    metadata,
    Column("item_pk", Integer, ForeignKey("items.pk"), primary_key=True),
    Column("slug", Text, primary_key=True),
    Column("shown_pk", Integer, ForeignKey("items.pk"), nullable=False),
)
Index("story_folds_shown", story_folds.c.shown_pk, story_folds.c.slug)

# From which change on which branch is followed: see ``SqlOutputs.branch_of``.
branches = Table(
    "branches",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("token", Text, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("key", Text),
    Column("item_id", Text),
    Column("title", Text, nullable=False),
    Column("link", Text),
)
Index("ledger_key", ledger.c.key)
Index("ledger_item", ledger.c.item_id)
Index("ledger_link", ledger.c.link)
Index("ledger_at", ledger.c.at)

health_events = Table(
    "health_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
)

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

schema_migrations = Table(
    "schema_migrations",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("applied_at", Text, nullable=False),
)

_LONGEST_KEY: Final = 300
NO_WORDING: Final = Item(title="")
"""What stays of the wording of an item that retention removed."""

_PERSON = tuple(field.name for field in fields(Person))
_ENCLOSURE = tuple(field.name for field in fields(Enclosure))
_PLAIN = tuple(
    field.name for field in fields(Item) if field.name not in {"authors", "tags", "enclosures", "published_at"}
)


def stored_key(text: str) -> str:
    """Return ``text`` as it is stored and looked up: a long key by its SHA-256, its name still in front."""
    if len(text) <= _LONGEST_KEY:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text.partition(':')[0][:60]}:sha256={digest}"


def encode_item(item: Item) -> str:
    """Return the wording of ``item`` as JSON."""
    return dump(_item_data(item))


def encode_effect(item: Item, shown: Item | None) -> str | None:
    """Return what is another in ``shown``, as JSON: a field that it does not have is null. None for nothing."""
    if shown is None:
        return None
    before, after = _item_data(item), _item_data(shown)
    return dump({name: after.get(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name)})


def _item_data(item: Item) -> dict[str, Any]:
    data: dict[str, Any] = present(item, _PLAIN)
    if item.authors:
        data["authors"] = [present(author, _PERSON) for author in item.authors]
    if item.tags:
        data["tags"] = item.tags
    if item.published_at:
        data["published_at"] = item.published_at.isoformat()
    if item.enclosures:
        data["enclosures"] = [present(enclosure, _ENCLOSURE) for enclosure in item.enclosures]
    return data


def decode_item(text: str, effect: str | None = None) -> Item:
    """Return the wording that ``encode_item`` wrote; with what ``encode_effect`` wrote, as the rules leave it."""
    data: dict[str, Any] = json.loads(text)
    if effect is not None:
        data = {name: value for name, value in {**data, **json.loads(effect)}.items() if value is not None}
    return Item(
        **known(data, _PLAIN),
        authors=tuple(Person(**known(author, _PERSON)) for author in data.get("authors", ())),
        tags=tuple(data.get("tags", ())),
        published_at=datetime.fromisoformat(data["published_at"]) if "published_at" in data else None,
        enclosures=tuple(Enclosure(**known(enclosure, _ENCLOSURE)) for enclosure in data.get("enclosures", ())),
    )


@lru_cache(maxsize=512)  # one publish after the other reads the same newest items
def decode_stored(wording: str | bytes, effect: str | bytes | None) -> Item:
    """Return what a wording and an effect say that were read as ``AS_STORED``."""
    return decode_item(unpacked(wording) or "", unpacked(effect))


AS_STORED: Final = tuple(
    type_coerce(column, Text).label(column.key) for column in (sightings.c.wording, sightings.c.effect)
)
"""The columns of wording and effect, as they are in the database: unpacked is what is not known yet."""


def decode_link(text: str) -> str | None:
    """Return the link in the wording that ``encode_item`` wrote."""
    link: str | None = json.loads(text).get("link")
    return link


def encode_evidence(evidence: Evidence) -> str:
    """Return what a record says beside its keys: the instant or day, then the digests, with a bar between them."""
    at = evidence.published_at.isoformat() if evidence.published_at else evidence.day
    return f"{at}|{evidence.files}|{evidence.bare_files}|{evidence.pictures}"


def decode_evidence(text: str | None) -> Evidence | None:
    """Return the evidence that ``encode_evidence`` wrote; None where none was."""
    if text is None:
        return None
    at, files, bare_files, pictures = text.split("|")
    published_at = datetime.fromisoformat(at) if "T" in at else None
    day = "" if published_at else at
    return Evidence(published_at=published_at, day=day, files=files, bare_files=bare_files, pictures=pictures)


def decode_sighting(row: AnyRow) -> Sighting:
    """Return what a source said of an item from a row that has these columns."""
    return Sighting(
        guid=row.guid,
        url_key=row.url_key,
        title=row.title,
        text_digest=row.text_digest,
        extras_digest=row.extras_digest,
        offered=row.left_at is None,
        evidence=decode_evidence(row.evidence),
    )


def encode_configuration(source: Source) -> str:
    """Return what filing asks of the configuration of a source, as JSON."""
    data: dict[str, Any] = {"categories": source.categories, "content": source.content}
    if source.category_map is not None:
        data["category_map"] = asdict(source.category_map)
    return dump(data)


def decode_configuration(name: str, text: str) -> Source:
    """Return a source of which ``encode_configuration`` wrote what filing asks."""
    data: dict[str, Any] = json.loads(text)
    asked = data.get("category_map")
    return Source(
        name=name,
        url="",
        categories=tuple(data["categories"]),
        content=data["content"],
        category_map=CategoryMap(**asked) if asked else None,
    )


def fact_digest(*parts: str | None) -> str:
    """Return one digest for one fact, so that a repeated fact is written once."""
    return hashlib.sha256(dump(parts).encode("utf-8", "surrogatepass")).hexdigest()
