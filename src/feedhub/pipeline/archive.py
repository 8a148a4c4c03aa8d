"""The archive of an output, as feeds and as pages: only the parts whose items or neighbours changed are written."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from feedhub.errors import PublishError
from feedhub.model.item import StoredItem
from feedhub.model.output import Mark, OutputFile, OutputView, Part
from feedhub.pipeline.shelf import Shelf
from feedhub.pipeline.tally import Tally
from feedhub.ports.publishing import IndexRenderer, PageFormat, Renderer
from feedhub.ports.store import Store
from feedhub.rules.archive import marks_of

FOLDER: Final = ".feedhub/archive"
_LONGEST: Final = 20
Digests = dict[str, str]
"""Name of a part → digest of all that its files depend on, but for what every file of an output does."""


class ViewMaker(Protocol):
    """Makes the view of some items, as the feed itself or as one part of its archive between two others."""

    def __call__(
        self,
        items: Sequence[StoredItem],
        /,
        *,
        part: Part | None = None,
        older: Part | None = None,
        newer: Part | None = None,
    ) -> OutputView: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePress:
    """What the archive of one output is made of and written with."""

    slug: str
    entries: int
    store: Store
    shelf: Shelf
    renderers: Sequence[Renderer]
    index: IndexRenderer
    pages: PageFormat | None
    tally: Tally
    view: ViewMaker


def publish_archive(press: ArchivePress, touched: Mapping[str, datetime] | None) -> None:
    """Write the parts of an output's archive that changed, or all of them when ``touched`` is None.

    ``touched`` maps months to the published time of the earliest item touched there.

    What was written is remembered in the output folder, a digest for each part. When that is lost, the parts of
    touched months are rendered again; their bytes are the same, and no file is written.
    """
    shelf = press.shelf
    known = _read(press.tally.writer.read(_path(press.slug)))
    every_month = dict.fromkeys([*map(_month, known), *shelf.months], 1)
    months = every_month if touched is None else shelf.near(touched)
    digests = {name: digest for name, digest in known.items() if _is_before(_part(name), months)}
    for month in sorted(months.keys() & set(shelf.months)):
        first = months[month]
        marks = shelf.marks(month, first)
        for part in shelf.parts(month)[first - 1 :]:
            own = marks_of(part, marks, first)
            digest = _digest(own, shelf.older(part), shelf.newer(part))
            is_written = (touched is not None and known.get(part.name) == digest) or _write_part(part, own, press)
            digests[part.name] = digest if is_written else ""
    for name in sorted(known.keys() - digests.keys()):
        _remove_part(_part(name), press)
    if digests != known:
        _keep(press.slug, digests, press.tally)


def remove_archive(press: ArchivePress) -> None:
    """Remove the whole archive of an output."""
    for name in sorted(_read(press.tally.writer.read(_path(press.slug)))):
        _remove_part(_part(name), press)
    press.tally.writer.remove(_path(press.slug))


def remove_pages(slug: str, layout: PageFormat, tally: Tally) -> None:
    """Remove the pages of an output's archive and leave the feeds."""
    names = sorted(_read(tally.writer.read(_path(slug))))
    tally.remove(layout.output_path(slug, _part(name)) for name in names)


def _write_part(part: Part, own: Sequence[Mark], press: ArchivePress) -> bool:
    items = press.store.shown(press.slug, [mark.id for mark in own])
    view = press.view(items, part=part, older=press.shelf.older(part), newer=press.shelf.newer(part))
    paths = set(press.index.paths(press.slug, part))
    written = [press.tally.write(press.slug, partial(renderer.render, view)) for renderer in press.renderers]
    if press.pages is not None:
        written.append(press.tally.write(press.slug, partial(press.pages.output, view, ()), part="pages"))
    press.tally.remove(sorted(paths.difference(written)))
    return all(written)


def _remove_part(part: Part, press: ArchivePress) -> None:
    press.tally.remove(press.index.paths(press.slug, part))
    if press.pages is not None:
        press.tally.remove([press.pages.output_path(press.slug, part)])


def _digest(own: Sequence[Mark], older: Part | None, newer: Part | None) -> str:
    told = [[mark.id, mark.touched] for mark in own]
    text = json.dumps([told, older and older.name, newer and newer.name])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_before(part: Part, months: Mapping[str, int]) -> bool:
    return part.month not in months or part.number < months[part.month]


def _month(name: str) -> str:
    return name[: len("2026-11")]


def _part(name: str) -> Part:
    _, _, number = name[len("2026-11") :].partition("-")
    return Part(month=_month(name), number=int(number or 1))


def _path(slug: str) -> str:
    return f"{FOLDER}/{slug}.json"


def _keep(slug: str, digests: Digests, tally: Tally) -> None:
    try:
        if digests:
            body = json.dumps(digests, indent=0, sort_keys=True).encode()
            tally.keep(OutputFile(path=_path(slug), body=body))
        else:
            tally.writer.remove(_path(slug))
    except PublishError as error:
        tally.broken.setdefault(slug, str(error))


def _read(body: bytes | None) -> Digests:
    """Return what was remembered; nothing from a file that is not ours or was damaged."""
    try:
        lines = json.loads(body or b"{}")
        digests = {str(name): str(digest) for name, digest in lines.items()}
        return {name: digest for name, digest in digests.items() if _part(name).name == name and len(name) < _LONGEST}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
