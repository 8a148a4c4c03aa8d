"""Programs that people read feeds with, given what is rendered."""

from pathlib import Path

import pytest

from feedhub.model.output import FeedFormat, OutputView
from feedhub.publish.files import FolderWriter
from feedhub.publish.renderers import renderers
from feedhub.publish.safe import safe_url
from support.output_views import rich_view, wordy_view
from support.readers import by_newsboat, by_sfeed, program

XML_FORMATS: tuple[FeedFormat, ...] = ("atom", "rss")


def published(folder: Path, view: OutputView, kind: FeedFormat) -> Path:
    (renderer,) = renderers((kind,))
    file = renderer.render(view)
    FolderWriter(folder).write(file)
    return folder / file.path


def readable_view() -> OutputView:
    """Return the items of the rich view that have a title: without one, readers invent their own."""
    given = rich_view()
    titled = tuple(item for item in given.items if item.item.title)
    return OutputView(site=given.site, feed=given.feed, items=titled, updated_at=given.updated_at)


def links_differ(view: OutputView, seen: list[tuple[str, str, str]]) -> list[str]:
    """Return the ids of the items that have a link and are not shown with it."""
    links = {guid: link for guid, _, link in seen}
    return [item.id for item in view.items if item.item.link and links[item.id] != safe_url(item.item.link)]


@pytest.mark.parametrize("kind", XML_FORMATS)
@pytest.mark.parametrize("view", [readable_view(), wordy_view(100, words=3)], ids=["rich", "hundred"])
def test_newsboat_lists_the_same_items(tmp_path: Path, view: OutputView, kind: FeedFormat) -> None:
    program("newsboat")
    seen = by_newsboat(published(tmp_path / "output", view, kind).as_uri(), tmp_path / "home")
    assert [(guid, title) for guid, title, _ in seen] == [(item.id, item.item.title) for item in view.items]
    assert links_differ(view, seen) == []


@pytest.mark.parametrize("kind", XML_FORMATS)
@pytest.mark.parametrize("view", [readable_view(), wordy_view(100, words=3)], ids=["rich", "hundred"])
def test_sfeed_lists_the_same_items(tmp_path: Path, view: OutputView, kind: FeedFormat) -> None:
    program("sfeed")
    seen = by_sfeed(published(tmp_path / "output", view, kind).read_bytes())
    assert [(guid, title) for guid, title, _ in seen] == [(item.id, item.item.title) for item in view.items]
    # For an entry without a link sfeed takes that of its source.
    assert links_differ(view, seen) == []
