"""Which post has which file name: two posts never share one, and a post that is named anew leaves no second file."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from feedhub.model.output import OutputFile
from feedhub.ports.publishing import OutputWriter

FOLDER: Final = ".feedhub/posts"
_DAY_LENGTH: Final = len("2026-11-23")
_DATED: Final = re.compile(r"\d{4}-\d\d-\d\d-.+", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Owner:
    """A post: an item in a category."""

    item_id: str
    slug: str


@dataclass(slots=True)
class _Day:
    """The names of one day's posts, and the reverse."""

    owners: dict[str, Owner] = field(default_factory=dict)
    names: dict[Owner, str] = field(default_factory=dict)


def day_of(name: str) -> str:
    """Return the day with which the name of a post begins."""
    return name[:_DAY_LENGTH]


def date_of(name: str) -> date | None:
    """Return the same as a date; None for a name that is not that of a post."""
    try:
        return date.fromisoformat(day_of(name)) if _DATED.fullmatch(name) else None
    except ValueError:
        return None


class PostNames:
    """The names that were given, remembered in the output folder, one small file for each day of posts.

    The folder is hidden, so that Jekyll passes over it. When it is lost, names are given anew by the same rules.
    """

    def __init__(self, writer: OutputWriter) -> None:
        self._writer = writer
        self._days: dict[str, _Day] = {}

    def claim(self, wanted: str, owner: Owner) -> tuple[str, str | None]:
        """Return the name that ``owner`` gets, and the one it had on that day before if that was another.

        A name that another item has gets the id appended; one that the same item has in another category, the category.
        """
        day = self._day(day_of(wanted))
        name = next(one for one in _candidates(wanted, owner, day) if day.owners.get(one, owner) == owner)
        before = day.names.get(owner)
        if before is not None and before != name:
            del day.owners[before]
        day.owners[name] = owner
        day.names[owner] = name
        return name, before if before != name else None

    def owner(self, name: str) -> Owner | None:
        """Return the post that has this name."""
        return self._day(day_of(name)).owners.get(name)

    def release(self, name: str) -> None:
        """Forget a name whose post was named anew on another day."""
        day = self._day(day_of(name))
        owner = day.owners.pop(name, None)
        if owner is not None:
            day.names.pop(owner, None)

    def save(self) -> None:
        """Write what was given; raises PublishError when that is not possible."""
        for day, given in sorted(self._days.items()):
            lines = {name: [owner.item_id, owner.slug] for name, owner in given.owners.items()}
            if lines:
                body = json.dumps(lines, indent=0, sort_keys=True, ensure_ascii=False).encode()
                self._writer.write(OutputFile(path=_path(day), body=body))
            else:
                self._writer.remove(_path(day))

    def _day(self, day: str) -> _Day:
        if day not in self._days:
            owners = _read(self._writer.read(_path(day)))
            self._days[day] = _Day(owners, {owner: name for name, owner in owners.items()})
        return self._days[day]


def _candidates(wanted: str, owner: Owner, day: _Day) -> Iterator[str]:
    """Yield the names that ``owner`` may get, best first; the one it has before any other that it might have."""
    stem, dot, ending = wanted.rpartition(".")
    if not dot:
        stem, ending = wanted, ""
    holder = day.owners.get(wanted)
    mark = owner.slug if holder is not None and holder.item_id == owner.item_id else _bare(owner.item_id)
    marked = (f"{stem}-{suffix}{dot}{ending}" for suffix in (owner.slug, _bare(owner.item_id)))
    had = day.names.get(owner)
    if had is not None and had in (wanted, *marked):
        yield had
    yield wanted
    yield f"{stem}-{mark}{dot}{ending}"
    number = 2
    while True:
        yield f"{stem}-{_bare(owner.item_id)}-{number}{dot}{ending}"
        number += 1


def _bare(item_id: str) -> str:
    return item_id.removeprefix("urn:uuid:")


def _path(day: str) -> str:
    return f"{FOLDER}/{day}.json"


def _read(body: bytes | None) -> dict[str, Owner]:
    """Return the names of a day; none from a file that is not ours or was damaged."""
    try:
        lines = json.loads(body or b"{}")
        return {name: Owner(str(item_id), str(slug)) for name, (item_id, slug) in lines.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
