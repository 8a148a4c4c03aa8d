"""All that is SQLite's alone: opening, errors in words, copies, locks of tasks, full text, migrations."""

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, event, text
from sqlalchemy import Connection as PlainConnection
from sqlalchemy.dialects.sqlite import insert as insert_
from sqlalchemy.exc import SQLAlchemyError

from feedhub.errors import (
    DamagedStoreError,
    FullStoreError,
    NoStoreError,
    ReplacedStoreError,
    StoreError,
    StoreInUseError,
)
from feedhub.store.database import Backend, Connection, ErrorGuard, Migration, PreparedStatement, apply_next
from feedhub.store.steps import ninth

# PostgreSQL's insert of the same shape has the same ON CONFLICT methods.
insert = insert_


_BESIDE = ("-wal", "-shm")
_FileId = tuple[int, int]


class DatabaseFile:
    """The file of an open database, in whose place somebody may put another one.

    Who goes on writes into a file that nobody reads any more. And the log of the old one lies beside the new one, which
    takes it for its own: it is put aside.
    """

    def __init__(self, named: str) -> None:
        """``named`` may be a link; ``place`` is where it leads."""
        self.place = os.path.realpath(named)
        self._named = named
        self._known: _FileId | None = None
        self._beside: dict[str, _FileId] = {}

    def opened(self) -> None:
        """From now on it must be the file that it is."""
        self._known = _file_id(self._named)

    def check(self) -> None:
        """Accept the file that was opened.

        Raises:
            ReplacedStoreError: it was replaced or removed.
        """
        if self._known is None:
            return
        if _file_id(self._named) == self._known:
            for suffix in _BESIDE:
                if suffix not in self._beside and (found := _file_id(self.place + suffix)):
                    self._beside[suffix] = found
            return
        if _file_id(self.place) != self._known:
            self._put_aside()
        raise ReplacedStoreError(
            f"store {self._named} was replaced by another file, or removed, while it was open: "
            "nothing more is written, and a restart takes up what is there"
        )

    def _put_aside(self) -> None:
        for suffix, known in self._beside.items():
            if _file_id(self.place + suffix) == known:
                with suppress(OSError):
                    Path(self.place + suffix).replace(f"{self.place}{suffix}.replaced")


def _file_id(path: str) -> _FileId | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - at every transaction
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself; _begin does.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # With WAL, NORMAL keeps every commit through a kill -9. A power cut may take the last commits but damages nothing:
    # validators are stored with their items in one transaction, so what was lost is fetched again.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin(connection: PlainConnection) -> None:
    # A deferred transaction that reads first and writes later fails when another writer came between.
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


_IN_USE = "is locked"
_DAMAGED = "is damaged; put a backup in its place, or delete it and poll everything again (ids stay the same)"
_WORDS = (
    (_IN_USE, "is in use by another process"),
    ("is not a database", "is not a database"),
    ("malformed", _DAMAGED),
    ("readonly", "cannot be written"),
    ("unable to open", "cannot be opened"),
    ("disk I/O", "cannot be read or written"),
    ("no such table", "is damaged or was changed by another program"),
)
_NO_ROOM = "cannot grow: no room on the disk"
_SIGNS_OF_NO_ROOM = ("disk is full", "No space left", "quota exceeded")
# What SQLite says when it cannot make the files beside the database, as for want of room.
_VAGUE = ("disk I/O", "unable to open")
_LEAST_ROOM = 65_536
_SIGNS_OF_DAMAGE = ("is not a database", "malformed", "no such table")


class SqliteErrors(ErrorGuard):
    """Tells what SQLite raises."""

    kinds = (SQLAlchemyError, sqlite3.Error)

    def told(self, cause: BaseException) -> StoreError:
        message = str(cause)
        if _is_full(message, self.place):
            return FullStoreError(f"store {self.place} {_NO_ROOM} ({message})")
        words = next((words for sign, words in _WORDS if sign in message), "cannot be used")
        kind = StoreInUseError if _IN_USE in message else StoreError
        if any(sign in message for sign in _SIGNS_OF_DAMAGE):
            kind = DamagedStoreError
        return kind(f"store {self.place} {words} ({message})")


def _is_full(message: str, place: str) -> bool:
    if any(sign in message for sign in _SIGNS_OF_NO_ROOM):
        return True
    if not any(sign in message for sign in _VAGUE):
        return False
    with suppress(OSError, AttributeError):  # there is no such question on Windows
        room = os.statvfs(Path(place).parent)
        return room.f_bavail * room.f_frsize < _LEAST_ROOM
    return False


def _this_process() -> dict[str, object]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(timespec="seconds")}


def _holder_in_words(holder: Path, task: str) -> str:
    try:
        who = json.loads(holder.read_text("utf-8"))
        return f"`feedhub {task}` with process id {who['pid']} on {who['host']} holds it since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"another `feedhub {task}` holds it"


# The index keeps no copy of a text, so it forgets one only when it is told what that was.
_INDEX = PreparedStatement(text("INSERT INTO item_search (rowid, title, body) VALUES (:pk, :title, :body)"))
_UNINDEX = PreparedStatement(
    text("INSERT INTO item_search (item_search, rowid, title, body) VALUES ('delete', :pk, :title, :body)")
)
_EMPTY_INDEX = text("INSERT INTO item_search (item_search) VALUES ('delete-all')")
# A word in the title counts as much as several in the text; among equals the one stored last.
_MATCH = text(
    "SELECT rowid FROM item_search WHERE item_search MATCH :query"
    " ORDER BY bm25(item_search, 8.0, 1.0), rowid DESC LIMIT :limit"
)
_MATCH_LAST = text("SELECT rowid FROM item_search WHERE item_search MATCH :query ORDER BY rowid DESC LIMIT :limit")


def _quoted(term: str) -> str:
    return f'"{term[:-1]}"*' if term.endswith("*") else f'"{term}"'


def is_store_file(path: Path) -> bool:
    """Tell whether a file is a database with tables of a store."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if not head.startswith(b"SQLite format 3"):
            return False
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        finally:
            connection.close()
    except (OSError, sqlite3.Error):
        return False
    return {"items", "sources", "schema_migrations"} <= names


def put_in_place(new: Path, place: Path) -> Path | None:
    """Put a database into the place of another, whose files are kept beside it; return where, if there was one."""
    kept = next(
        name
        for number in range(1, 10_000)
        if not (name := place.with_name(f"{place.name}.before-restore{'' if number == 1 else f'-{number}'}")).exists()
    )
    is_there = place.exists()
    for suffix in ("", *_BESIDE):
        with suppress(FileNotFoundError):
            Path(f"{place}{suffix}").replace(f"{kept}{suffix}")
    new.replace(place)
    return kept if is_there else None


class SqliteBackend(Backend):
    """A database in a file of this machine."""

    def __init__(self, address: URL, busy_timeout: float) -> None:
        self._file = file = DatabaseFile(address.database or "")
        address = address.set(database=file.place)
        engine = create_engine(address, connect_args={"timeout": busy_timeout}, pool_size=4, max_overflow=64)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        # To connect would make a file anew that was removed; "checkout" comes before every transaction.
        for name in ("do_connect", "checkout", "commit"):
            event.listen(engine, name, lambda *_: file.check())
        super().__init__(engine, SqliteErrors(file.place), file.place)

    def guard_for(self, place: str) -> SqliteErrors:
        return SqliteErrors(place, OSError)

    def make(self, *, may_make: bool) -> None:
        """Make the file with its folder, and let readers read while one writes."""
        if not may_make and not Path(self.place).exists():
            raise NoStoreError(f"no store yet at {self.place}: `feedhub poll` and `feedhub run` make it")
        Path(self.place).parent.mkdir(parents=True, exist_ok=True)
        with self.lent(sqlite3.Connection) as driver:
            # Both are kept in the file. A wording of 2 KB fills half of a page of the usual 4 KB; two do not fit in.
            driver.execute("PRAGMA page_size = 8192")
            driver.execute("PRAGMA journal_mode = WAL")
        self._file.opened()

    def migrate(self, connection: PlainConnection) -> bool:
        return apply_next(connection, self.place, MIGRATIONS)

    def check(self) -> None:
        """Run SQLite's own check of all pages and indexes."""
        with self.lent(sqlite3.Connection) as driver:
            found = str(driver.execute("PRAGMA integrity_check(1)").fetchall()[0][0])
        if found != "ok":
            raise DamagedStoreError(f"store {self.place} {_DAMAGED} ({found})")

    def tidy_up(self) -> None:
        """Refresh what the planner knows of the tables, and shorten the write-ahead log that grew meanwhile."""
        with self.lent(sqlite3.Connection) as driver:
            driver.execute("PRAGMA optimize")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy(self, path: Path) -> None:
        with self.lent(sqlite3.Connection) as driver:
            target = sqlite3.connect(path)
            try:
                driver.backup(target)
                # The copy is one file, without a -wal next to it.
                target.execute("PRAGMA journal_mode = DELETE")
            finally:
                target.close()

    @contextmanager
    def task_lock(self, task: str, wait: float) -> Iterator[Callable[[], None]]:
        """Lock a file beside the database, which is the operating system's to give back, and nobody's to take away.

        A second file names the process that holds the lock, because a locked file cannot be read everywhere.
        """
        from filelock import FileLock, Timeout  # imports asyncio too

        lock = FileLock(f"{self.place}.{task}.lock", timeout=wait, thread_local=False)
        holder = Path(f"{self.place}.{task}.json")
        try:
            lock.acquire()
            holder.write_text(json.dumps(_this_process()), "utf-8")
        except Timeout as exc:
            raise StoreInUseError(f"store {self.place} is in use: {_holder_in_words(holder, task)}") from exc
        except OSError as exc:
            lock.release()
            kind = FullStoreError if _is_full(str(exc), self.place) else StoreError
            raise kind(f"store {self.place} cannot be locked: {(exc.strerror or str(exc)).lower()}") from exc
        try:
            yield lambda: None
        finally:
            with suppress(OSError):
                holder.unlink(missing_ok=True)
            lock.release()

    def lock(self, connection: Connection, names: Iterable[str]) -> None:
        """No transaction that writes is beside this one."""

    def number_on(self, connection: Connection) -> None:
        """A new row always gets the number after the highest."""

    def index_texts(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            connection.execute(_INDEX, rows)

    def unindex_texts(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            connection.execute(_UNINDEX, rows)

    def empty_index(self, connection: Connection) -> None:
        connection.execute(_EMPTY_INDEX)

    def matching(
        self, connection: Connection, terms: Sequence[str], limit: int, *, last: bool = False, in_title: bool = False
    ) -> list[int]:
        """With ``last``, no more is read than ``limit`` asks for."""
        if not terms:
            return []
        query = " AND ".join(("title : " if in_title else "") + _quoted(term) for term in terms)
        wanted = _MATCH_LAST if last else _MATCH
        return connection.execute(wanted, {"query": query, "limit": limit}).scalars()


# Migrations are numbered and append only: what is written here has run on somebody's store and is never edited again.
_CREATE_SEARCH = "CREATE VIRTUAL TABLE item_search USING fts5(title, body, tokenize='unicode61')"
_COUNT = """UPDATE categories SET items = CASE slug
    WHEN 'all' THEN (SELECT count(*) FROM items WHERE removed_at IS NULL)
    ELSE (SELECT count(*) FROM memberships WHERE memberships.slug = categories.slug) END"""
# What an output holds is counted when it changes: counting at every publish takes as long as there are items.
_COUNT_ITEMS = (
    _COUNT,
    f"CREATE TRIGGER categories_in AFTER INSERT ON categories BEGIN {_COUNT} WHERE slug = NEW.slug; END",
    """CREATE TRIGGER memberships_in AFTER INSERT ON memberships
        BEGIN UPDATE categories SET items = items + 1 WHERE slug = NEW.slug; END""",
    """CREATE TRIGGER memberships_out AFTER DELETE ON memberships
        BEGIN UPDATE categories SET items = items - 1 WHERE slug = OLD.slug; END""",
    """CREATE TRIGGER items_in AFTER INSERT ON items WHEN NEW.removed_at IS NULL
        BEGIN UPDATE categories SET items = items + 1 WHERE slug = 'all'; END""",
    """CREATE TRIGGER items_out AFTER DELETE ON items WHEN OLD.removed_at IS NULL
        BEGIN UPDATE categories SET items = items - 1 WHERE slug = 'all'; END""",
    """CREATE TRIGGER items_moved AFTER UPDATE OF removed_at ON items
        BEGIN UPDATE categories SET items = items + (NEW.removed_at IS NULL) - (OLD.removed_at IS NULL)
            WHERE slug = 'all'; END""",
)

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
    _CREATE_SEARCH,
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
_FOURTH: Migration = ("ALTER TABLE categories ADD COLUMN items INTEGER DEFAULT '0' NOT NULL", *_COUNT_ITEMS)

# What a record says beside its keys is weighed, too; an address that names different items says nothing elsewhere.
_FIFTH: Migration = (
    "ALTER TABLE sightings ADD COLUMN evidence TEXT",
    "ALTER TABLE identity_keys ADD COLUMN is_section INTEGER DEFAULT '0' NOT NULL",
)

# What was received is stored before any rule, beside it what the rules make of it; all sources are refiled once.
_SIXTH: Migration = (
    "ALTER TABLE sightings ADD COLUMN effect TEXT",
    "ALTER TABLE sightings ADD COLUMN dropped_by TEXT",
    "ALTER TABLE sightings ADD COLUMN received INTEGER DEFAULT '0' NOT NULL",
    "ALTER TABLE items ADD COLUMN shown_by INTEGER REFERENCES sources (id)",
    "ALTER TABLE items ADD COLUMN hidden_at BIGINT",
    "ALTER TABLE items ADD COLUMN hidden_reason TEXT",
    "DROP INDEX items_newest",
    *(f"DROP TRIGGER {name}" for name in ("items_in", "items_out", "items_moved")),
    "UPDATE items SET shown_by = owner_id WHERE removed_at IS NULL",
    """CREATE INDEX items_newest ON items (published_at DESC, first_seen_at DESC, position)
        WHERE shown_by IS NOT NULL""",
    """CREATE TRIGGER items_in AFTER INSERT ON items WHEN NEW.shown_by IS NOT NULL
        BEGIN UPDATE categories SET items = items + 1 WHERE slug = 'all'; END""",
    """CREATE TRIGGER items_out AFTER DELETE ON items WHEN OLD.shown_by IS NOT NULL
        BEGIN UPDATE categories SET items = items - 1 WHERE slug = 'all'; END""",
    """CREATE TRIGGER items_moved AFTER UPDATE OF shown_by ON items
        WHEN (NEW.shown_by IS NULL) != (OLD.shown_by IS NULL)
        BEGIN UPDATE categories SET items = items + (NEW.shown_by IS NOT NULL) - (OLD.shown_by IS NOT NULL)
            WHERE slug = 'all'; END""",
    "ALTER TABLE sources ADD COLUMN filed_to INTEGER",
    "ALTER TABLE sources ADD COLUMN filed_as TEXT",
    "UPDATE sources SET filed_digest = NULL",
    "ALTER TABLE categories RENAME COLUMN changed_at TO added_at",
    """CREATE TABLE ended_memberships (
        slug TEXT NOT NULL, item_pk INTEGER NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (slug, item_pk), FOREIGN KEY (item_pk) REFERENCES items (pk))""",
    "CREATE INDEX ended_memberships_number ON ended_memberships (number)",
    "CREATE INDEX ended_memberships_item ON ended_memberships (item_pk)",
    "ALTER TABLE categories ADD COLUMN entries INTEGER",
    """CREATE TABLE removed_categories (
        slug TEXT NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL, entries INTEGER, shown TEXT NOT NULL,
        published_at BIGINT, PRIMARY KEY (slug))""",
)

# The index of the search keeps no copy of the texts: it is made anew afterwards, some items in a transaction. What
# outputs hold is counted once for each document.
_SEVENTH: Migration = (
    "DROP TABLE item_search",
    "CREATE VIRTUAL TABLE item_search USING fts5(title, body, content='', tokenize='unicode61')",
    *(
        f"DROP TRIGGER {name}"
        for name in ("categories_in", "memberships_in", "memberships_out", "items_in", "items_out", "items_moved")
    ),
)

# What was read of a record is known by the digest of the record.
_EIGHTH: Migration = ("ALTER TABLE sightings ADD COLUMN record_digest INTEGER",)

_NINTH = ninth("INTEGER", "TEXT", "BLOB", " WITHOUT ROWID", "CAST(strftime('%s', 'now') AS BIGINT) * 1000000")

MIGRATIONS: tuple[Migration, ...] = (
    _FIRST,
    _SECOND,
    _THIRD,
    _FOURTH,
    _FIFTH,
    _SIXTH,
    _SEVENTH,
    _EIGHTH,
    _NINTH,
)
