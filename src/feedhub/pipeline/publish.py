"""Publishing: from stored items to files, only for outputs that changed."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from feedhub.errors import PublishError
from feedhub.model.output import Category, OutputFile
from feedhub.model.report import PublishReport
from feedhub.model.settings import Settings
from feedhub.ports.publishing import IndexRenderer, OutputWriter, Renderer
from feedhub.ports.store import Store
from feedhub.rules.select import ALL, output_feed, output_view

MANIFEST: Final = "feedhub.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What publishing needs beside the store: one renderer per format, the index, and the folder."""

    renderers: Sequence[Renderer]
    index: IndexRenderer
    writer: OutputWriter


def publish(
    store: Store, settings: Settings, press: Press, *, slugs: Collection[str] = (), everything: bool = False
) -> PublishReport:
    """Write the outputs that changed, or those named, or all; remove those of removed categories.

    An output that cannot be written is reported, keeps its last good file and stays due.
    """
    tally = _Tally(press.writer)
    manifest = press.writer.read(MANIFEST)
    summaries = store.categories()
    present = [ALL, *(category.slug for category in summaries)]
    # Those that records brought are in the store only.
    categories = [*settings.categories, *(Category(slug=one.slug, title=one.title) for one in summaries)]
    listed = press.index.listed(manifest) if manifest else ()
    departed = [slug for slug in listed if slug not in present]
    due = store.due_outputs()
    chosen = slugs or (present if everything or manifest is None else due)
    wanted = [slug for slug in present if slug in chosen]
    for slug in wanted:
        _publish_output(slug, store, settings, categories, press, tally)
    if wanted or departed:
        _publish_index(store, press, tally)
    # Only after the manifest has stopped naming them: who reads the manifest never meets a missing file.
    for slug in departed:
        tally.remove(press.index.paths(slug))
    store.mark_published({slug: due[slug] for slug in wanted if slug in due and slug not in tally.broken})
    return tally.report()


def _publish_output(
    slug: str, store: Store, settings: Settings, categories: Sequence[Category], press: Press, tally: "_Tally"
) -> None:
    feed = output_feed(slug, settings.site, categories, settings.output)
    items = store.newest(slug, feed.entries)
    view = output_view(
        feed,
        settings.site,
        settings.output,
        items,
        store.changed_at(slug),
        addresses={source.name: source.url for source in settings.sources},
        secrets=settings.secrets,
    )
    paths = set(press.index.paths(slug))
    for renderer in press.renderers:
        paths.discard(tally.write(slug, partial(renderer.render, view)))
    if slug not in tally.broken:
        tally.remove(sorted(paths))


def _publish_index(store: Store, press: Press, tally: "_Tally") -> None:
    categories = store.categories()
    files = press.index.render(categories, items=store.item_count(), changed_at=store.changed_at(ALL))
    for file in files:
        tally.write(file.path, partial(_given, file))


def _given(file: OutputFile) -> OutputFile:
    return file


@dataclass(slots=True)
class _Tally:
    """Counts what happened to each file; a failure costs one output."""

    writer: OutputWriter
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    broken: dict[str, str] = field(default_factory=dict)

    def write(self, output: str, rendered: Callable[[], OutputFile]) -> str:
        """Write one file and return its path, or "" when it could not be made."""
        try:
            file = rendered()
            if self.writer.write(file):
                self.written.append(file.path)
            else:
                self.unchanged += 1
        except PublishError as error:
            self.broken.setdefault(output, str(error))
            return ""
        return file.path

    def remove(self, paths: Sequence[str]) -> None:
        self.removed.extend(path for path in paths if self.writer.remove(path))

    def report(self) -> PublishReport:
        return PublishReport(
            written=tuple(self.written),
            unchanged=self.unchanged,
            removed=tuple(self.removed),
            failed=tuple(self.broken.items()),
        )
