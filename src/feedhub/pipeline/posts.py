"""Jekyll posts: one for each item and category that changed; old ones are moved to the archive, none is deleted."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from feedhub.errors import PublishError
from feedhub.model.output import Category, OutputFile, PostSettings, PostView
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.pipeline.post_names import Owner, PostNames, date_of, day_of
from feedhub.ports.publishing import OutputWriter, PostFormat
from feedhub.ports.store import Store


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
