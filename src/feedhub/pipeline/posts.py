"""Which post has which file name: two posts never share one, and a post that is named anew leaves no second file."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.errors import PublishError
from feedhub.model.output import Category, OutputFile, PostSettings, PostView
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.ports.publishing import OutputWriter, PostFormat
from feedhub.ports.store import Store

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PostPress:
    """What publishing posts needs beside the store."""

    settings: PostSettings
    format: PostFormat
    writer: OutputWriter


def publish_posts(
    store: Store, settings: Settings, press: PostPress, *, now: datetime, everything: bool = False
) -> PublishReport:
    """Write the posts that changed, or all; move those that are older than ``keep_days`` to the archive, each once.

    An item that cannot become a post is reported and costs that post. A post that cannot be written is reported too,
    and all posts since the last complete publish stay due. A move is reported as a file written and one removed.

    A post in the archive that changes is rewritten there. With ``everything`` it comes back to the posts if
    ``keep_days`` now allows that; by itself nothing does.
    """
    number, published = store.change_number(), store.posts_published()
    today = now.astimezone(ZoneInfo(settings.site.timezone)).date()
    run = _Run(press=press, today=today, everything=everything, names=PostNames(press.writer))
    run.archive_old()
    titles = {category.slug: category.title for category in store.categories()}
    for slug, item in store.posts(0 if everything else published):
        category = Category(slug=slug, title=titles.get(slug, slug))
        run.publish(PostView(site=settings.site, item=item, category=category))
    run.keep_names()
    if number != published and not run.is_incomplete:
        store.mark_posts_published(number)
    return PublishReport(
        written=tuple(dict.fromkeys(run.written)),
        unchanged=run.unchanged,
        removed=tuple(run.removed),
        failed=tuple(run.failed.items()),
    )


@dataclass(slots=True, kw_only=True)
class _Run:
    """One publish: what it works with, and what happened to each file."""

    press: PostPress
    today: date
    everything: bool
    names: PostNames
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    is_incomplete: bool = False
    present: dict[str, list[str]] | None = None

    def archive_old(self) -> None:
        """Move the posts whose day is too long ago. A failed move is tried again by the next publish."""
        posts = self.press.settings
        if posts.keep_days is None:
            return
        try:
            names = self.press.writer.names(posts.dir)
        except PublishError as error:
            self.failed[posts.dir] = str(error)
            return
        for name in names:
            day = date_of(name)
            if day is not None and (self.today - day).days > posts.keep_days:
                try:
                    self.move(f"{posts.dir}/{name}", f"{posts.archive}/{name}")
                except PublishError as error:
                    self.failed[f"{posts.dir}/{name}"] = str(error)

    def publish(self, view: PostView) -> None:
        try:
            path = self.press.format.path(view, self.today)
            file = self.press.format.render(view)
        except PublishError as error:
            self.failed[f"{view.category.slug}: {view.item.id}"] = str(error)
            return
        try:
            self.put(path, file, Owner(view.item.id, view.category.slug))
        except PublishError as error:
            self.failed[path] = str(error)
            self.is_incomplete = True

    def put(self, path: str, file: OutputFile, owner: Owner) -> None:
        """Write a post under the name that it gets, and remove it where it had another."""
        folder, _, wanted = path.rpartition("/")
        name, before = self.names.claim(wanted, owner)
        file = replace(file, path=self.place(folder, name))
        if self.press.writer.write(file):
            self.written.append(file.path)
        else:
            self.unchanged += 1
        if before is not None:
            self.remove(before)
        for other in self.of_other_days(name, owner):
            self.remove(other)
            self.names.release(other)

    def place(self, folder: str, name: str) -> str:
        """Return the path of a post. One that lies in the archive stays there, or comes back with ``everything``."""
        posts = self.press.settings
        fresh, archived = f"{posts.dir}/{name}", f"{posts.archive}/{name}"
        if folder == posts.archive:
            return archived
        if self.everything:
            self.move(archived, fresh)
            return fresh
        return fresh if self.press.writer.read(archived) is None else archived

    def of_other_days(self, name: str, owner: Owner) -> list[str]:
        """Return the names that this post had when its source gave it another date."""
        if self.present is None:
            self.present = {}
            for known in self.press.writer.names(self.press.settings.dir):
                if date_of(known) is not None:
                    self.present.setdefault(known.removeprefix(day_of(known)), []).append(known)
        alike = self.present.get(name.removeprefix(day_of(name)), ())
        return [other for other in alike if day_of(other) != day_of(name) and self.names.owner(other) == owner]

    def move(self, old: str, new: str) -> None:
        if self.press.writer.move(old, new):
            self.written.append(new)
            self.removed.append(old)

    def remove(self, name: str) -> None:
        posts = self.press.settings
        self.removed += [path for path in (f"{posts.dir}/{name}", f"{posts.archive}/{name}") if self._is_removed(path)]

    def _is_removed(self, path: str) -> bool:
        return self.press.writer.remove(path)

    def keep_names(self) -> None:
        try:
            self.names.save()
        except PublishError as error:
            self.failed["names of posts"] = str(error)
            self.is_incomplete = True
