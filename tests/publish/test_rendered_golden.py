"""Rendered files as they are, byte for byte.

``UPDATE_GOLDEN=1 pytest tests/publish/test_rendered_golden.py`` rewrites them: read the difference before you keep it.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from feedhub.model.output import CategorySummary, OutputFile, OutputView
from feedhub.publish.formats import renderers
from feedhub.publish.index import FeedIndex
from support.feed_checks import check_feed
from support.output_views import NOON, SITE, rich_view, view

GOLDEN = Path(__file__).parent / "golden"
FORMATS = ("atom", "rss", "json")
VIEWS = {
    "rich": rich_view(),
    "summary": replace(rich_view(), content="summary"),
    "none": replace(rich_view(), content="none"),
    "empty": view(),
    "all": view(slug="all"),
}


def compare(name: str, file: OutputFile) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.body)
    assert file.body.decode() == path.read_bytes().decode()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", VIEWS)
def test_rendered_feed_is_the_golden_one_and_valid(name: str, kind: str) -> None:
    (renderer,) = renderers((kind,))
    file = renderer.render(VIEWS[name])
    assert check_feed(file.path, file.body) == []
    compare(f"{name}.{kind}", file)


@pytest.mark.parametrize("kind", FORMATS)
def test_same_view_gives_same_bytes(kind: str) -> None:
    first, second = (renderers((kind,))[0].render(given) for given in (rich_view(), rich_view()))
    assert first == second


def test_index_files_are_the_golden_ones() -> None:
    categories = (
        CategorySummary(slug="tech", title="科技", items=3, changed_at=NOON),
        CategorySummary(slug="markets", title='Markets & <"money">', items=0),
    )
    together = CategorySummary(slug="all", title=SITE.title, items=3, changed_at=NOON)
    opml, manifest = FeedIndex(SITE, FORMATS).render(together, categories)
    compare("feeds.opml", opml)
    compare("feedhub.json", manifest)


def test_no_view_leaves_a_golden_file_unused() -> None:
    expected = {f"{name}.{kind}" for name in VIEWS for kind in FORMATS} | {"feeds.opml", "feedhub.json"}
    assert {path.name for path in GOLDEN.iterdir()} == expected


def test_rendering_does_not_change_its_view() -> None:
    given: OutputView = rich_view()
    for renderer in renderers(FORMATS):
        renderer.render(given)
    assert given == rich_view()
