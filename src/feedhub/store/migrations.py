"""Numbered schema changes: append only. What is written here has run on somebody's store and is never edited again."""

from sqlalchemy import Connection, inspect, text

from feedhub.errors import StoreError
from feedhub.store.sqlite import COUNT_ITEMS, CREATE_SEARCH

Migration = tuple[str, ...]

_FIRST: Migration = (
    """CREATE TABLE sources (
        id INTEGER NOT NULL, name TEXT NOT NULL, title TEXT DEFAULT '' NOT NULL, link TEXT, url TEXT,
        last_poll_at BIGINT, last_success_at BIGINT, next_poll_at BIGINT, state TEXT, filed_digest TEXT,
        PRIMARY KEY (id), UNIQUE (name))""",
    """CREATE TABLE items (
        pk INTEGER NOT NULL, id TEXT NOT NULL, owner_id INTEGER NOT NULL, published_at BIGINT NOT NULL,
        first_seen_at BIGINT NOT NULL, position INTEGER NOT NULL, removed_at BIGINT,
        PRIMARY KEY (pk), UNIQUE (id), FOREIGN KEY (owner_id) REFERENCES sources (id))""",
    """CREATE INDEX items_newest ON items (published_at DESC, first_seen_at DESC, position)
        WHERE removed_at IS NULL""",
    "CREATE INDEX items_removed ON items (removed_at) WHERE removed_at IS NOT NULL",
    """CREATE TABLE identity_keys (
        text TEXT NOT NULL, item_pk INTEGER NOT NULL, strength INTEGER NOT NULL, added_at BIGINT NOT NULL,
        PRIMARY KEY (text), FOREIGN KEY (item_pk) REFERENCES items (pk))""",
    "CREATE INDEX identity_keys_item ON identity_keys (item_pk, strength)",
    """CREATE TABLE distrusted_keys (
        source_id INTEGER NOT NULL, "key" TEXT NOT NULL,
        PRIMARY KEY (source_id, "key"), FOREIGN KEY (source_id) REFERENCES sources (id))""",
    """CREATE TABLE sightings (
        item_pk INTEGER NOT NULL, source_id INTEGER NOT NULL, guid TEXT, url_key TEXT, title TEXT NOT NULL,
        text_digest TEXT NOT NULL, extras_digest TEXT NOT NULL, first_seen_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL, left_at BIGINT, wording TEXT NOT NULL,
        PRIMARY KEY (item_pk, source_id), FOREIGN KEY (item_pk) REFERENCES items (pk),
        FOREIGN KEY (source_id) REFERENCES sources (id))""",
    "CREATE INDEX sightings_offered ON sightings (source_id, item_pk) WHERE left_at IS NULL",
    "CREATE INDEX sightings_first_seen ON sightings (source_id, first_seen_at)",
    """CREATE TABLE filings (
        item_pk INTEGER NOT NULL, source_id INTEGER NOT NULL, slug TEXT NOT NULL, rule TEXT NOT NULL,
        first_seen_at BIGINT NOT NULL,
        PRIMARY KEY (item_pk, source_id, slug), FOREIGN KEY (item_pk) REFERENCES items (pk),
        FOREIGN KEY (source_id) REFERENCES sources (id))""",
    "CREATE INDEX filings_slug ON filings (slug, item_pk)",
    """CREATE TABLE memberships (
        slug TEXT NOT NULL, item_pk INTEGER NOT NULL, source_id INTEGER NOT NULL, rule TEXT NOT NULL,
        published_at BIGINT NOT NULL, first_seen_at BIGINT NOT NULL, position INTEGER NOT NULL,
        PRIMARY KEY (slug, item_pk), FOREIGN KEY (item_pk) REFERENCES items (pk),
        FOREIGN KEY (source_id) REFERENCES sources (id))""",
    "CREATE INDEX memberships_newest ON memberships (slug, published_at DESC, first_seen_at DESC, position)",
    "CREATE INDEX memberships_item ON memberships (item_pk)",
    "CREATE INDEX memberships_source ON memberships (source_id, slug)",
    """CREATE TABLE categories (
        slug TEXT NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL, position INTEGER NOT NULL,
        version INTEGER NOT NULL, published_version INTEGER NOT NULL, changed_at BIGINT NOT NULL,
        PRIMARY KEY (slug))""",
    """CREATE TABLE ledger (
        id INTEGER NOT NULL, digest TEXT NOT NULL, at BIGINT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL,
        reason TEXT NOT NULL, "key" TEXT, item_id TEXT, title TEXT NOT NULL, link TEXT,
        PRIMARY KEY (id), UNIQUE (digest))""",
    'CREATE INDEX ledger_key ON ledger ("key")',
    "CREATE INDEX ledger_item ON ledger (item_id)",
    "CREATE INDEX ledger_link ON ledger (link)",
    "CREATE INDEX ledger_at ON ledger (at)",
    'CREATE TABLE meta ("key" TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY ("key"))',
    CREATE_SEARCH,
    """INSERT INTO categories (slug, title, description, position, version, published_version, changed_at)
        VALUES ('all', '', '', -1, 1, 0, 0)""",
)

# Posts are found by a change number; categories may come from records.
_SECOND: Migration = (
    "ALTER TABLE sightings ADD COLUMN touched INTEGER DEFAULT '0' NOT NULL",
    "CREATE INDEX sightings_touched ON sightings (touched)",
    "CREATE INDEX sightings_url_key ON sightings (url_key)",
    "ALTER TABLE categories ADD COLUMN from_records INTEGER DEFAULT '0' NOT NULL",
    "CREATE INDEX categories_title ON categories (title)",
)

# Due times are asked for by the daemon, host by host; what happened to sources is told in a feed.
_THIRD: Migration = (
    "ALTER TABLE sources ADD COLUMN host TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE sources ADD COLUMN scheduled INTEGER DEFAULT '0' NOT NULL",
    "CREATE INDEX sources_due ON sources (next_poll_at) WHERE scheduled = 1",
    """CREATE TABLE health_events (
        id INTEGER NOT NULL, at BIGINT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
        PRIMARY KEY (id))""",
)

# How many items an output holds is kept, not counted.
_FOURTH: Migration = ("ALTER TABLE categories ADD COLUMN items INTEGER DEFAULT '0' NOT NULL", *COUNT_ITEMS)

MIGRATIONS: tuple[Migration, ...] = (_FIRST, _SECOND, _THIRD, _FOURTH)

_RECORDS = "CREATE TABLE schema_migrations (version INTEGER NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (version))"
# The database's clock: this is a note for people, nothing is decided by it.
_RECORD = text("INSERT INTO schema_migrations (version, applied_at) VALUES (:version, CURRENT_TIMESTAMP)")


def schema_version(connection: Connection, place: str) -> int:
    """Return the number of the newest migration that was applied; 0 for an empty database.

    Raises:
        StoreError: the database belongs to another program.
    """
    tables = inspect(connection).get_table_names()
    if "schema_migrations" in tables:
        return connection.execute(text("SELECT max(version) FROM schema_migrations")).scalar() or 0
    if tables:
        raise StoreError(f"store {place} is the database of another program (it has a table {tables[0]!r})")
    return 0


def apply_next(connection: Connection, place: str, migrations: tuple[Migration, ...] = MIGRATIONS) -> bool:
    """Apply the next missing migration inside the caller's transaction; False when there is none.

    Raises:
        StoreError: the schema is newer than this feedhub, or not feedhub's.
    """
    version = schema_version(connection, place)
    if version > len(migrations):
        known = len(migrations)
        raise StoreError(f"store {place} has schema {version}, this feedhub knows up to {known}: use a newer feedhub")
    if version == len(migrations):
        return False
    if version == 0:
        connection.exec_driver_sql(_RECORDS)
    for statement in migrations[version]:
        connection.exec_driver_sql(statement)
    connection.execute(_RECORD, {"version": version + 1})
    return True
