"""Jekyll posts: which is due, which file name each has, and the archive. Two posts never share a name (SPEC §6)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.errors import PublishError
from feedhub.model.output import Category, EndedPost, OutputFile, PostSettings, PostView
from feedhub.pipeline.state import Publishing
from feedhub.pipeline.writing import ReportingWriter
from feedhub.ports.publishing import OutputGroup, PostRenderer

_FOLDER: Final = ".feedhub/posts"
_DAY_LENGTH: Final = len("2026-11-23")
_DATED: Final = re.compile(r"\d{4}-\d\d-\d\d-.+", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostContext:
    """What publishing posts needs besides the store."""

    settings: PostSettings
    renderer: PostRenderer


def publish_posts(run: Publishing, context: PostContext, *, now: datetime, everything: bool = False) -> None:
    """Write the posts that changed, or all; move those that are older than ``keep_days`` to the archive, each once.

    The post of an item that left its category is removed, unless retention took it out. An item that cannot become a
    post is reported and costs that post. A post that cannot be written is reported too, and all posts since the last
    complete publish stay due. A move is reported as a file written and one removed.

    A post in the archive that changes is rewritten there. With ``everything`` it comes back to the posts if
    ``keep_days`` now allows that; by itself nothing does.
    """
    store, site = run.store, run.settings.site
    zone = ZoneInfo(site.timezone)
    today = now.astimezone(zone).date()
    names, writer = PostNames(run.group), ReportingWriter(run.group)
    posts = _Posts(context=context, zone=zone, today=today, everything=everything, names=names, writer=writer)
    posts.archive_old()
    titles = {category.slug: category.title for category in store.categories()}
    since = 0 if everything else run.state.posts
    for ended in store.ended_posts(since):
        posts.remove(ended)
    for slug, item in store.posts(since):
        category = Category(slug=slug, title=titles.get(slug, slug))
        posts.publish(PostView(site=site, item=item, category=category))
    posts.save_names()
    run.step(writer, lambda state: state if writer.is_incomplete else replace(state, posts=run.number))


@dataclass(frozen=True, slots=True)
class PostKey:
    """Which post it is: an item in a category."""

    item_id: str
    slug: str


@dataclass(slots=True)
class _NamesOfDay:
    """The names of one day's posts, both ways."""

    keys: dict[str, PostKey] = field(default_factory=dict)
    names: dict[PostKey, str] = field(default_factory=dict)


class PostNames:
    """The names that posts were given, remembered in the output folder, one small file for each day of posts.

    The folder is hidden, so that Jekyll passes over it. When it is lost, names are given anew by the same rules.
    """

    def __init__(self, writer: OutputGroup) -> None:
        self._writer = writer
        self._days: dict[str, _NamesOfDay] = {}

    def assign(self, wanted: str, key: PostKey) -> tuple[str, str | None]:
        """Return the name that a post gets, and the one it had on that day before if that was another.

        A name that another item has gets the id appended; one that the same item has in another category, the category.
        """
        day = self._day(day_of(wanted))
        name = next(one for one in _candidates(wanted, key, day) if day.keys.get(one, key) == key)
        before = day.names.get(key)
        if before is not None and before != name:
            del day.keys[before]
        day.keys[name] = key
        day.names[key] = name
        return name, before if before != name else None

    def find(self, key: PostKey, day: str) -> str | None:
        """Return the name of a post, which is mostly of that day; None for one that was never written."""
        return self._day(day).names.get(key) or self._saved_names.get(key)

    @cached_property
    def _saved_names(self) -> dict[PostKey, str]:
        days = [name.removesuffix(".json") for name in self._writer.names(_FOLDER)]
        return {key: name for day in days for key, name in self._day(day).names.items()}

    def key(self, name: str) -> PostKey | None:
        """Return the post that has this name."""
        return self._day(day_of(name)).keys.get(name)

    def forget(self, name: str) -> None:
        """Forget a name whose post has another one, on another day, now."""
        day = self._day(day_of(name))
        key = day.keys.pop(name, None)
        if key is not None:
            day.names.pop(key, None)

    def save(self) -> None:
        """Write the names that were given; raises PublishError when that is not possible."""
        for day, given in sorted(self._days.items()):
            lines = {name: [key.item_id, key.slug] for name, key in given.keys.items()}
            if lines:
                body = json.dumps(lines, indent=0, sort_keys=True, ensure_ascii=False).encode()
                self._writer.write(OutputFile(path=_note_path(day), body=body))
            else:
                self._writer.remove(_note_path(day))

    def _day(self, day: str) -> _NamesOfDay:
        if day not in self._days:
            keys = _saved_keys(self._writer.read(_note_path(day)))
            self._days[day] = _NamesOfDay(keys, {key: name for name, key in keys.items()})
        return self._days[day]


def _candidates(wanted: str, key: PostKey, day: _NamesOfDay) -> Iterator[str]:
    """Yield the names that a post may get, best first; the one it has before any other that it might have."""
    stem, dot, ending = wanted.rpartition(".")
    if not dot:
        stem, ending = wanted, ""
    bare_id = key.item_id.removeprefix("urn:uuid:")
    holder = day.keys.get(wanted)
    suffix = key.slug if holder is not None and holder.item_id == key.item_id else bare_id
    suffixed = (f"{stem}-{one}{dot}{ending}" for one in (key.slug, bare_id))
    present = day.names.get(key)
    if present is not None and present in (wanted, *suffixed):
        yield present
    yield wanted
    yield f"{stem}-{suffix}{dot}{ending}"
    number = 2
    while True:
        yield f"{stem}-{bare_id}-{number}{dot}{ending}"
        number += 1


def _note_path(day: str) -> str:
    return f"{_FOLDER}/{day}.json"


def _saved_keys(body: bytes | None) -> dict[str, PostKey]:
    """Return the posts of a day by name; none from a file that is not ours or was damaged."""
    try:
        lines = json.loads(body or b"{}")
        return {name: PostKey(str(item_id), str(slug)) for name, (item_id, slug) in lines.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def day_of(name: str) -> str:
    """Return the day with which the name of a post begins."""
    return name[:_DAY_LENGTH]


def date_of(name: str) -> date | None:
    """Return the same as a date; None for a name that is not that of a post."""
    try:
        return date.fromisoformat(day_of(name)) if _DATED.fullmatch(name) else None
    except ValueError:
        return None


@dataclass(slots=True, kw_only=True)
class _Posts:
    """One publish. ``present`` are the names in the folder of posts, by what follows the day, once they are listed."""

    context: PostContext
    zone: ZoneInfo
    today: date
    everything: bool
    names: PostNames
    writer: ReportingWriter
    present: dict[str, list[str]] | None = None

    def archive_old(self) -> None:
        """Move the posts whose day is too long ago. A failed move is tried again by the next publish."""
        posts = self.context.settings
        if posts.keep_days is None:
            return
        try:
            names = self.writer.writer.names(posts.dir)
        except PublishError as error:
            self.writer.failed[posts.dir] = str(error)
            return
        for name in names:
            day = date_of(name)
            if day is not None and (self.today - day).days > posts.keep_days:
                try:
                    self.writer.move(f"{posts.dir}/{name}", f"{posts.archive}/{name}")
                except PublishError as error:
                    self.writer.failed[f"{posts.dir}/{name}"] = str(error)

    def publish(self, view: PostView) -> None:
        """Write one post; what is wrong with it is reported."""
        try:
            path = self.context.renderer.path(view, self.today)
            file = self.context.renderer.render(view)
        except PublishError as error:
            self.writer.failed[f"{view.category.slug}: {view.item.id}"] = str(error)
            return
        try:
            self._put(path, file, PostKey(view.item.id, view.category.slug))
        except PublishError as error:
            self.writer.failed[path] = str(error)
            self.writer.is_incomplete = True

    def remove(self, ended: EndedPost) -> None:
        """Remove the post of an item that is no longer shown in a category."""
        key = PostKey(ended.item_id, ended.slug)
        try:
            name = self.names.find(key, self._day_of(ended.published_at))
        except PublishError as error:
            self.writer.failed[f"{ended.slug}: {ended.item_id}"] = str(error)
            self.writer.is_incomplete = True
            return
        if name is None:
            return
        self._remove(name)
        if self.writer.unremoved:
            self.writer.is_incomplete = True
        else:
            self.names.forget(name)

    def _day_of(self, instant: datetime) -> str:
        try:
            return instant.astimezone(self.zone).date().isoformat()
        except OverflowError:
            return instant.date().isoformat()

    def save_names(self) -> None:
        """Remember which names were given."""
        try:
            self.names.save()
        except PublishError as error:
            self.writer.failed["names of posts"] = str(error)
            self.writer.is_incomplete = True

    def _put(self, path: str, file: OutputFile, key: PostKey) -> None:
        """Write a post under the name that it gets, and remove it where it had another."""
        folder, _, wanted = path.rpartition("/")
        name, before = self.names.assign(wanted, key)
        self.writer.put(replace(file, path=self._place(folder, name)))
        if before is not None:
            self._remove(before)
        for other in self._names_on_other_days(name, key):
            self._remove(other)
            self.names.forget(other)

    def _place(self, folder: str, name: str) -> str:
        """Return the path of a post. One that lies in the archive stays there, or comes back with ``everything``."""
        posts = self.context.settings
        fresh, archived = f"{posts.dir}/{name}", f"{posts.archive}/{name}"
        if folder == posts.archive:
            return archived
        if self.everything:
            self.writer.move(archived, fresh)
            return fresh
        return fresh if self.writer.writer.read(archived) is None else archived

    def _names_on_other_days(self, name: str, key: PostKey) -> list[str]:
        """Return the names that this post had when its source gave it another date."""
        if self.present is None:
            self.present = {}
            for known in self.writer.writer.names(self.context.settings.dir):
                if date_of(known) is not None:
                    self.present.setdefault(known.removeprefix(day_of(known)), []).append(known)
        alike = self.present.get(name.removeprefix(day_of(name)), ())
        return [other for other in alike if day_of(other) != day_of(name) and self.names.key(other) == key]

    def _remove(self, name: str) -> None:
        posts = self.context.settings
        self.writer.remove([f"{posts.dir}/{name}", f"{posts.archive}/{name}"])
