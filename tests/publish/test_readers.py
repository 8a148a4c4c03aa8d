"""Programs that people read feeds with, given what is rendered."""

from dataclasses import replace
from pathlib import Path

import pytest

from feedhub.model.output import OutputView, Part
from feedhub.publish.entry import safe_url
from feedhub.publish.formats import renderers
from support.at_once import AtOnce
from support.feed_checks import check_feed
from support.npm import by_rss_parser
from support.output_views import rich_view, wordy_view
from support.readers import by_newsboat, by_sfeed, program

XML_FORMATS: tuple[str, ...] = ("atom", "rss")


def published(folder: Path, view: OutputView, kind: str) -> Path:
    (renderer,) = renderers((kind,))
    file = renderer.render(view)
    AtOnce(folder).write(file)
    return folder / file.path


def readable_view() -> OutputView:
    """Return the items of the rich view that have a title: without one, readers invent their own."""
    given = rich_view()
    titled = tuple(item for item in given.items if item.item.title)
    return OutputView(site=given.site, feed=given.feed, items=titled, updated_at=given.updated_at)


def archive_view() -> OutputView:
    """Return a part of an archive between two others, whose feed names a hub."""
    months = {"part": "2026-10", "older": "2026-09", "newer": "2026-11"}
    return replace(
        wordy_view(100, words=3),
        hub="https://hub.example/",
        **{key: Part(month=month) for key, month in months.items()},
    )


VIEWS = [readable_view(), wordy_view(100, words=3), archive_view()]
NAMES = ["rich", "hundred", "archive"]


def links_differ(view: OutputView, seen: list[tuple[str, str, str]]) -> list[str]:
    """Return the ids of the items that have a link and are not shown with it."""
    links = {guid: link for guid, _, link in seen}
    return [item.id for item in view.items if item.item.link and links[item.id] != safe_url(item.item.link)]


@pytest.mark.parametrize("kind", XML_FORMATS)
@pytest.mark.parametrize("view", VIEWS, ids=NAMES)
def test_newsboat_lists_the_same_items(tmp_path: Path, view: OutputView, kind: str) -> None:
    program("newsboat")
    seen = by_newsboat(published(tmp_path / "output", view, kind).as_uri(), tmp_path / "home")
    assert [(guid, title) for guid, title, _ in seen] == [(item.id, item.item.title) for item in view.items]
    assert links_differ(view, seen) == []


@pytest.mark.parametrize("kind", XML_FORMATS)
@pytest.mark.parametrize("view", VIEWS, ids=NAMES)
def test_sfeed_lists_the_same_items(tmp_path: Path, view: OutputView, kind: str) -> None:
    program("sfeed")
    seen = by_sfeed(published(tmp_path / "output", view, kind).read_bytes())
    assert [(guid, title) for guid, title, _ in seen] == [(item.id, item.item.title) for item in view.items]
    # For an entry without a link sfeed takes that of its source.
    assert links_differ(view, seen) == []


@pytest.mark.parametrize("kind", XML_FORMATS)
@pytest.mark.parametrize("view", VIEWS, ids=NAMES)
def test_rss_parser_lists_the_same_items(tmp_path: Path, view: OutputView, kind: str) -> None:
    seen = by_rss_parser(published(tmp_path / "output", view, kind).read_bytes())
    assert seen == [(item.id, item.item.title) for item in view.items]


@pytest.mark.parametrize("kind", ["atom", "rss", "json"])
def test_archives_and_hubs_pass_the_checkers(tmp_path: Path, kind: str) -> None:
    for view in (archive_view(), replace(archive_view(), part=None, newer=None)):
        path = published(tmp_path, view, kind)
        assert check_feed(path.name, path.read_bytes()) == []
    assert path.relative_to(tmp_path).as_posix() == f"feeds/tech.{kind}"
