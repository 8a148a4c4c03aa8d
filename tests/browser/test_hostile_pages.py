"""Hostile markup (``support/hostile_markup.py``) in real Chromium: nothing runs, and only what is allowed is there."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.browser import Shown, shown
from support.cli_runs import run, write_project
from support.hostile_markup import MARKUP
from support.responders import static
from support.sanitised import element_faults
from support.server import serve

pytestmark = pytest.mark.browser

_SEEN = """(texts) => texts.map((text) => {
  const place = document.createElement("div");
  document.body.append(place);
  place.innerHTML = text;
  const found = [...place.querySelectorAll("*")].map((one) => ({
    tag: one.namespaceURI.endsWith("xhtml") ? one.localName : `${one.namespaceURI} ${one.localName}`,
    attributes: Object.fromEntries([...one.attributes].map((attribute) => [attribute.name, attribute.value])),
  }));
  const comments = document.createTreeWalker(place, NodeFilter.SHOW_COMMENT).nextNode() ? ["comment"] : [];
  place.remove();
  return [found, comments, window.pwned ? ["pwned"] : []];
})"""
_PAGE = """() => ({
  elements: [...document.querySelectorAll(".text *")].map((one) => ({tag: one.localName,
    attributes: Object.fromEntries([...one.attributes].map((attribute) => [attribute.name, attribute.value]))})),
  pwned: window.pwned ?? null,
  clobbered: ["cookie", "body", "location", "getElementById"].filter((name) => document[name] instanceof HTMLElement
    && document[name] !== document.body),
})"""


def without_ours(tag: str, attributes: dict[str, str]) -> dict[str, str]:
    """Return the attributes of an element without those that pages add, so that what is wide scrolls in itself."""
    added = {
        "div": {"class": "wide", "role": "region", "tabindex": "0", "aria-label": "Table"},
        "pre": {"tabindex": "0"},
    }
    ours = added.get(tag, {})
    return dict(attributes.items() - ours.items()) if ours.items() <= attributes.items() else attributes


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("hostile")
    items = [
        {"id": str(at), "url": f"https://e.example/{at}", "title": markup, "content_html": f"<p>x{markup}</p>"}
        for at, markup in enumerate(MARKUP.values())
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "Hostile", "items": items}
    with serve({"/feed": static(json.dumps(feed).encode())}) as server:
        source = f"  - {{name: hostile, url: '{server.url('/feed')}', category: News}}\n"
        done = run("poll", "-c", write_project(folder, source, "output: {entries: 2000}"))
    assert done.code == 0, done
    with shown(folder / "output", chromium) as site:
        yield site


def test_chromium_finds_in_what_readers_get_only_what_the_list_allows(site: Shown) -> None:
    items = json.loads((site.folder / "feeds" / "news.json").read_bytes())["items"]
    texts = [item.get("content_html", "") for item in items]
    with site.window() as window:
        # A page without a policy of its own: only the markup itself keeps scripts out.
        window.page.set_content("<!DOCTYPE html><title>x</title><body></body>")
        seen = window.page.evaluate(_SEEN, texts)
    assert len(seen) == len(MARKUP)
    for text, (found, *others) in zip(texts, seen, strict=True):
        faults = [fault for one in found for fault in element_faults(one["tag"], one["attributes"])]
        assert (faults, others) == ([], [[], []]), text


def test_nothing_runs_on_the_pages_and_the_policy_has_nothing_to_stop(site: Shown) -> None:
    with site.window() as window:
        for path in sorted(site.folder.glob("items/*/*/*.html"))[::6]:
            page = window.show(path.relative_to(site.folder).as_posix())
            seen = page.evaluate(_PAGE)
            found = [(one["tag"], without_ours(one["tag"], one["attributes"])) for one in seen["elements"]]
            faults = [fault for tag, attributes in found for fault in element_faults(tag, attributes)]
            assert (faults, seen["pwned"], seen["clobbered"]) == ([], None, []), path
            stopped = [told for told in window.violations if not told.startswith(("img-src", "media-src"))]
            assert stopped == [], path
