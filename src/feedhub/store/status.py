"""What ``status`` asks of a store, and how states of sources are written: without SQLAlchemy.

To import that takes longer than the answers do. So these statements are SQL that every database understands, a store
runs them as all others, and a store in SQLite that is as it should be is asked by the driver alone.
"""

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from feedhub.model.document import Validators
from feedhub.model.output import CategorySummary
from feedhub.model.report import SourceCounts
from feedhub.model.source import Health, SourceState
from feedhub.rules.select import ALL

SCHEMA: Final = 9
"""The schema that these statements are for, which is the newest: how many migrations there are."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)
_SQLITE: Final = "sqlite:///"
_Answer = TypeVar("_Answer")

_STATES: Final = """SELECT name, title, link, url, last_poll_at, last_success_at, next_poll_at, state FROM sources
    WHERE state IS NOT NULL ORDER BY name"""
_NEXT_POLLS: Final = "SELECT name, next_poll_at FROM sources WHERE state IS NOT NULL AND next_poll_at IS NOT NULL"
_COUNTS: Final = """SELECT sources.name, sources.last_poll_at, count(*),
        sum(CASE WHEN sightings.first_seen_at >= :since THEN 1 ELSE 0 END)
    FROM sightings JOIN sources ON sources.id = sightings.source_id JOIN items ON items.pk = sightings.item_pk
    WHERE items.shown_by IS NOT NULL GROUP BY sources.id ORDER BY sources.name"""
_CATEGORIES: Final = "SELECT slug, title, items, version FROM categories WHERE slug != :all ORDER BY position"
_NEWEST_IN_ALL: Final = """SELECT sightings.updated_at FROM items
    JOIN sightings ON sightings.item_pk = items.pk AND sightings.source_id = items.shown_by
    WHERE items.shown_by IS NOT NULL AND items.unlisted IS NULL
    ORDER BY items.published_at DESC, items.first_seen_at DESC, items.position, items.id LIMIT :most"""
_NEWEST: Final = """SELECT sightings.updated_at FROM memberships JOIN items ON items.pk = memberships.item_pk
    JOIN sightings ON sightings.item_pk = memberships.item_pk AND sightings.source_id = memberships.source_id
    WHERE memberships.slug = :slug
    ORDER BY memberships.published_at DESC, memberships.first_seen_at DESC, memberships.position, items.id
    LIMIT :most"""


class StatusReader(ABC):
    """Answers what ``status`` asks of a store (``feedhub.ports.store``)."""

    @abstractmethod
    def _rows(self, sql: str, **values: object) -> Iterable[tuple[Any, ...]]:
        """Return the rows that a statement gives, whose parameters are written ``:name``."""

    def states(self) -> tuple[SourceState, ...]:
        return tuple(
            decode_state(
                state,
                name=name,
                title=title,
                link=link,
                configured_url=url,
                last_poll_at=instant(last_poll_at),
                last_success_at=instant(last_success_at),
                next_poll_at=instant(next_poll_at),
            )
            for name, title, link, url, last_poll_at, last_success_at, next_poll_at, state in self._rows(_STATES)
        )

    def next_polls(self) -> dict[str, datetime]:
        return {name: EPOCH + timedelta(microseconds=at) for name, at in self._rows(_NEXT_POLLS)}

    def source_counts(self, since: datetime) -> dict[str, SourceCounts]:
        return {
            name: SourceCounts(items=items, items_per_day=int(recent) / _days_between(since, instant(last_poll_at)))
            for name, last_poll_at, items, recent in self._rows(_COUNTS, since=microseconds(since))
        }

    def categories(self) -> tuple[CategorySummary, ...]:
        return tuple(
            CategorySummary(slug=slug, title=title, items=items, version=version)
            for slug, title, items, version in self._rows(_CATEGORIES, all=ALL)
        )

    def changed_at(self, slug: str, entries: int) -> datetime | None:
        of_slug = {} if slug == ALL else {"slug": slug}
        newest = _NEWEST if of_slug else _NEWEST_IN_ALL
        ((at,),) = self._rows(f"SELECT max(updated_at) FROM ({newest}) AS newest", most=entries, **of_slug)  # noqa: S608
        return instant(at)


class _SqliteStatus(StatusReader):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _rows(self, sql: str, **values: object) -> Iterable[tuple[Any, ...]]:
        return self._connection.execute(sql, values)


def answer_of_sqlite(url: str, ask: Callable[[StatusReader], _Answer]) -> _Answer | None:
    """Return what ``ask`` learns of the store at ``url`` as it is at one moment.

    None where it is not in SQLite, is of another schema, or cannot be used: whoever opens it as a whole learns why.
    """
    if not url.startswith(_SQLITE):
        return None
    place = Path(unquote(url.removeprefix(_SQLITE).partition("?")[0]))  # as SQLAlchemy reads it
    try:
        with closing(sqlite3.connect(f"{place.as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            ((version,),) = connection.execute("SELECT max(version) FROM schema_migrations")
            return ask(_SqliteStatus(connection)) if version == SCHEMA else None
    except (sqlite3.Error, ValueError):
        return None


def microseconds(at: datetime) -> int:
    """Return an aware instant as it is stored: whole microseconds since 1970 UTC."""
    return (at - EPOCH) // _MICROSECOND


def instant(stored: int | None) -> datetime | None:
    """Return what ``microseconds`` was given."""
    return None if stored is None else EPOCH + timedelta(microseconds=stored)


def _days_between(since: datetime, last_poll_at: datetime | None) -> float:
    """Return the days a rate is taken over: up to the last poll, never less than one."""
    return 1.0 if last_poll_at is None else max(1.0, (last_poll_at - since) / _DAY)


_STATE_IN_COLUMNS = {"name", "title", "link", "configured_url", "last_poll_at", "last_success_at", "next_poll_at"}
_STATE = tuple(
    field.name
    for field in fields(SourceState)
    if field.name not in _STATE_IN_COLUMNS and not field.name.endswith("_at")
    if field.name not in {"validators", "warnings", "failing_since", "reported_health", "changing"}
)
_STATE_INSTANTS = ("first_success_at", "last_new_at", "failing_since")


def encode_state(state: SourceState) -> str:
    """Return what of ``state`` has no column of its own, as JSON."""
    data: dict[str, Any] = present(state, _STATE)
    data |= {name: at.isoformat() for name in _STATE_INSTANTS if (at := getattr(state, name))}
    data["validators"] = present(state.validators, ("etag", "last_modified"))
    data["warnings"] = state.warnings
    data["told"] = state.reported_health.value
    if state.changing:
        data["changing"] = sorted(state.changing)
    return dump(data)


def decode_state(text: str | None, **columns: Any) -> SourceState:
    """Return the state that ``encode_state`` wrote, completed by its columns.

    That of a source which was only planned has nothing but its name and time.
    """
    if text is None:
        return SourceState(name=columns["name"], next_poll_at=columns["next_poll_at"])
    data: dict[str, Any] = json.loads(text)
    return SourceState(
        **known(data, _STATE),
        **_instants(data),
        **columns,
        validators=Validators(**known(data.get("validators", {}), ("etag", "last_modified"))),
        warnings=tuple(data.get("warnings", ())),
        reported_health=next((health for health in Health if health.value == data.get("told")), Health.OK),
        changing=frozenset(data.get("changing", ())),
    )


def present(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of ``names`` that are there."""
    return {name: found for name in names if (found := getattr(value, name)) is not None}


def _instants(data: dict[str, Any]) -> dict[str, Any]:
    return {name: datetime.fromisoformat(data[name]) for name in _STATE_INSTANTS if name in data}


def known(data: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return what ``data`` says of ``names``."""
    return {name: data[name] for name in names if name in data}


dump: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
"""Returns data as compact JSON with sorted keys."""
