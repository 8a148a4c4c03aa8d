"""What leaves the store: outdated items, those beyond a limit, what is hidden or forgotten by hand. Checks, copies."""

import os
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, Select, bindparam, case, delete, exists, func, or_, select, update

from feedhub.errors import StoreError
from feedhub.model.identity import LedgerNote
from feedhub.model.item import Received
from feedhub.model.report import PruneReport
from feedhub.rules.select import ALL
from feedhub.store.database import Connection, Database, PreparedStatement, chunks
from feedhub.store.ledger import write_notes
from feedhub.store.memberships import settle_memberships, settle_shown
from feedhub.store.outputs import bump, count_items
from feedhub.store.queries import reindexed
from feedhub.store.stories import forget_stories
from feedhub.store.tables import (
    NO_WORDING,
    AnyRow,
    decode_item,
    encode_item,
    ended_memberships,
    filings,
    identity_keys,
    items,
    ledger,
    memberships,
    sightings,
    sources,
    story_folds,
    story_members,
)

_ITEM = PreparedStatement(
    select(items.c.pk, items.c.hidden_at, items.c.removed_at, sources.c.name, sightings.c.wording)
    .join(sources, sources.c.id == items.c.owner_id)
    .join(sightings, (sightings.c.item_pk == items.c.pk) & (sightings.c.source_id == items.c.owner_id))
    .where(items.c.id == bindparam("wanted"))
)
_SET_HIDDEN = PreparedStatement(
    update(items)
    .where(items.c.pk == bindparam("number"))
    .values(hidden_at=bindparam("at"), hidden_reason=bindparam("why"))
)
_UNFORGOTTEN = PreparedStatement(
    select(sightings.c.item_pk)
    .where(sightings.c.source_id == bindparam("source"), sightings.c.received != Received.FORGOTTEN.value)
    .order_by(sightings.c.item_pk)
    .limit(bindparam("most"))
)
_MOST: Final = 100
"""Sightings that are forgotten in one transaction, for which polls have to wait."""


class SqlMaintenance(Database):
    """See ``feedhub.ports.store.MaintenanceStore``."""

    def prune(
        self, *, offered_before: datetime | None, keep_per_category: int | None, forget_before: datetime, now: datetime
    ) -> PruneReport:
        removed = 0
        if offered_before is not None:
            removed += self._remove_selected(_outdated(offered_before), now)
        if keep_per_category is not None:
            # What rules drop counts as a category.
            removed += self._remove_selected(_dropped_over_the_limit(keep_per_category), now)
            removed += self._cut_categories(keep_per_category, now)
        keys = entries = 0
        for part in self._select_in_parts(_forgettable(forget_before)):
            with self._write() as connection:
                keys += _forget(connection, part)
        for part in self._select_in_parts(select(ledger.c.id).where(ledger.c.at < forget_before)):
            with self._write() as connection:
                entries += connection.execute(delete(ledger).where(ledger.c.id.in_(part))).rowcount
        return PruneReport(items=removed, keys=keys, ledger=entries)

    def _remove_selected(self, wanted: Select[int], now: datetime) -> int:
        removed = 0
        for part in self._select_in_parts(wanted):
            with self._write() as connection:
                pks = _still_selected(wanted, part, connection)
                remove_items(connection, pks, now)
                removed += len(pks)
        return removed

    def _cut_categories(self, keep: int, now: datetime) -> int:
        removed = 0
        too_full = select(memberships.c.slug).group_by(memberships.c.slug).having(func.count() > keep)
        for slug in sorted(self._query(too_full).scalars()):
            surplus = _over_the_limit(slug, keep)
            for part in self._select_in_parts(surplus):
                with self._write() as connection:
                    in_no_category = remove_from_category(connection, slug, _still_selected(surplus, part, connection))
                    remove_items(connection, in_no_category, now)
                    removed += len(in_no_category)
        return removed

    def hide(self, item_id: str, reason: str, now: datetime) -> bool:
        return self._set_hidden(item_id, now, reason, now)

    def unhide(self, item_id: str, now: datetime) -> bool:
        return self._set_hidden(item_id, None, "", now)

    def _set_hidden(self, item_id: str, at: datetime | None, reason: str, now: datetime) -> bool:
        with self._write() as connection:
            row = connection.execute(_ITEM, {"wanted": item_id}).first()
            if row is None or (row.hidden_at is None) == (at is None):
                return False
            with reindexed(connection, [row.pk]):
                connection.execute(_SET_HIDDEN, {"number": row.pk, "at": at, "why": reason or None})
                _show_anew(connection, [row.pk])
            _note(connection, row, item_id, "shown again" if at is None else "hidden", reason, now)
            return True

    def forget(self, source: str, now: datetime) -> int | None:
        number = self._query(select(sources.c.id).where(sources.c.name == source)).scalar()
        if number is None:
            return None
        count = 0
        while True:
            with self._write() as connection:
                pks = connection.execute(_UNFORGOTTEN, {"source": number, "most": _MOST}).scalars()
                _forget_sightings(connection, number, pks, now)
            count += len(pks)
            if len(pks) < _MOST:
                return count

    def maintain(self) -> None:
        with self._exclusive_writer(), self._guard:
            self._backend.tidy_up()

    def verify(self) -> None:
        with self._guard:
            self._backend.check()

    def backup(self, path: str) -> None:
        target = Path(path)
        if os.path.lexists(target):
            raise StoreError(f"backup {path} is there already")
        unfinished = target.with_name(target.name + ".part")
        try:
            with self._backend.guard_for(path):
                unfinished.unlink(missing_ok=True)
                self._backend.copy(unfinished)
                unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)


def _last_offered() -> ColumnElement[datetime]:
    """A source that fails, is gone or is no longer configured stopped offering at its last success."""
    return case(
        (sightings.c.left_at.is_(None), func.coalesce(sources.c.last_success_at, sightings.c.first_seen_at)),
        else_=sightings.c.left_at,
    )


def _offered_since(moment: datetime) -> ColumnElement[bool]:
    limit = bindparam("moment", value=moment, type_=items.c.published_at.type)
    return (
        exists()
        .where(sightings.c.item_pk == items.c.pk, sources.c.id == sightings.c.source_id)
        .where(_last_offered() >= limit)
    )


def _outdated(before: datetime) -> Select[int]:
    """Select the items that no source has offered since ``before``."""
    return select(items.c.pk).where(items.c.removed_at.is_(None), ~_offered_since(before))


def _forgettable(before: datetime) -> Select[int]:
    """Select the items that were removed before ``before`` and not offered by any source since, but for hidden ones."""
    return select(items.c.pk).where(items.c.removed_at < before, items.c.hidden_at.is_(None), ~_offered_since(before))


def _over_the_limit(slug: str, keep: int) -> Select[int]:
    """Select the items of a category beyond its newest ``keep`` that no source offers."""
    rest = (
        select(memberships.c.item_pk, items.c.id)
        .join(items, items.c.pk == memberships.c.item_pk)
        .where(memberships.c.slug == slug)
        .order_by(
            memberships.c.published_at.desc(), memberships.c.first_seen_at.desc(), memberships.c.position, items.c.id
        )
        .offset(keep)
        .subquery()
    )
    offered = exists().where(sightings.c.item_pk == rest.c.item_pk, sightings.c.left_at.is_(None))
    return select(rest.c.item_pk).where(~offered)


def _dropped_over_the_limit(keep: int) -> Select[int]:
    """Select the items that nothing shows because of the rules, beyond the newest ``keep``, that no source offers."""
    dropped = (
        select(items.c.pk)
        .where(items.c.shown_by.is_(None), items.c.removed_at.is_(None), items.c.hidden_at.is_(None))
        .order_by(items.c.published_at.desc(), items.c.first_seen_at.desc(), items.c.position, items.c.id)
        .offset(keep)
        .subquery()
    )
    offered = exists().where(sightings.c.item_pk == dropped.c.pk, sightings.c.left_at.is_(None))
    return select(dropped.c.pk).where(~offered)


def _still_selected(wanted: Select[int], pks: Collection[int], connection: Connection) -> list[int]:
    """Return those of ``pks`` that ``wanted`` still selects: a poll may have run in between."""
    column = wanted.subquery().c[0]
    return sorted(connection.execute(select(column).where(column.in_(pks))).scalars())


def remove_from_category(connection: Connection, slug: str, pks: list[int]) -> list[int]:
    """Remove items from one category; return those that are in no category any more."""
    if not pks:
        return []
    connection.execute(delete(filings).where(filings.c.slug == slug, filings.c.item_pk.in_(pks)))
    left = delete(memberships).where(memberships.c.slug == slug, memberships.c.item_pk.in_(pks))
    count_items(connection, {slug: -connection.execute(left).rowcount})
    bump(connection, {ALL, slug, *_categories_of(connection, pks)}, pks)
    held = connection.execute(select(memberships.c.item_pk).where(memberships.c.item_pk.in_(pks))).scalars()
    return sorted(set(pks) - set(held))


def remove_items(connection: Connection, pks: list[int], now: datetime) -> None:
    """Remove items; their ids and keys stay, so nothing comes back as new (SPEC §4, last paragraph).

    Sightings lose only their wording. Guid, address and title are kept, so that a later record that reuses a key can
    still be told apart.
    """
    if not pks:
        return
    slugs = connection.execute(select(memberships.c.slug).where(memberships.c.item_pk.in_(pks))).scalars()
    listed = (items.c.shown_by.is_not(None), items.c.unlisted.is_(None))
    shown = connection.execute(select(items.c.pk).where(items.c.pk.in_(pks), *listed))
    bump(connection, {ALL, *slugs}, pks)
    gone = Counter({ALL: len(shown)})
    gone.update(slugs)
    count_items(connection, {slug: -count for slug, count in gone.items()})
    for table in (filings, memberships):
        connection.execute(delete(table).where(table.c.item_pk.in_(pks)))
    left = func.coalesce(sightings.c.left_at, bindparam("now", value=now, type_=sightings.c.left_at.type))
    with reindexed(connection, pks):
        connection.execute(
            update(sightings)
            .where(sightings.c.item_pk.in_(pks))
            .values(wording=encode_item(NO_WORDING), effect=None, dropped_by=None, left_at=left, record_digest=None)
        )
        connection.execute(update(items).where(items.c.pk.in_(pks)).values(removed_at=now, shown_by=None))


def _categories_of(connection: Connection, pks: list[int]) -> list[str]:
    """Return the categories that hold any of these items."""
    held = select(memberships.c.slug).where(memberships.c.item_pk.in_(pks)).distinct()
    return connection.execute(held).scalars()


def _forget(connection: Connection, pks: list[int]) -> int:
    """Delete removed items with their keys; return the number of keys."""
    forget_stories(connection, pks)
    connection.execute(delete(story_folds).where(or_(story_folds.c.item_pk.in_(pks), story_folds.c.shown_pk.in_(pks))))
    for table in (sightings, ended_memberships, story_members):
        connection.execute(delete(table).where(table.c.item_pk.in_(pks)))
    keys_deleted = connection.execute(delete(identity_keys).where(identity_keys.c.item_pk.in_(pks))).rowcount
    connection.execute(delete(items).where(items.c.pk.in_(pks)))
    return keys_deleted


def _show_anew(connection: Connection, pks: list[int]) -> None:
    """Let what outputs show of items follow from what is stored of them now."""
    slugs = settle_memberships(connection, pks)
    settle_shown(connection, pks)
    bump(connection, {ALL, *slugs}, pks)


def _note(connection: Connection, row: AnyRow, item_id: str, kind: str, reason: str, now: datetime) -> None:
    wording = decode_item(row.wording)
    note = LedgerNote(kind=kind, reason=reason or "by hand", item_id=item_id, title=wording.title, link=wording.link)
    write_notes(connection, row.name, [note], now, each_time=True)


def _forget_sightings(connection: Connection, source: int, pks: list[int], now: datetime) -> None:
    if not pks:
        return
    forget_stories(connection, pks)
    here = (sightings.c.source_id == source, sightings.c.item_pk.in_(pks))
    left = func.coalesce(sightings.c.left_at, bindparam("now", value=now, type_=sightings.c.left_at.type))
    with reindexed(connection, pks):
        connection.execute(
            update(sightings)
            .where(*here)
            .values(
                wording=encode_item(NO_WORDING),
                effect=None,
                dropped_by=None,
                received=Received.FORGOTTEN.value,
                left_at=left,
                record_digest=None,
            )
        )
        connection.execute(delete(filings).where(filings.c.source_id == source, filings.c.item_pk.in_(pks)))
        _show_anew(connection, pks)
    told = exists().where(sightings.c.item_pk == items.c.pk, sightings.c.received != Received.FORGOTTEN.value)
    for part in chunks(pks):
        nobodys = select(items.c.pk).where(items.c.pk.in_(part), items.c.removed_at.is_(None), ~told)
        remove_items(connection, connection.execute(nobodys).scalars(), now)
