"""Other reports that an item names, as each format shows them."""

import json
from datetime import UTC, datetime

import pytest
from lxml import etree, html

from feedhub.model.item import Item
from feedhub.model.story import StoryMember
from feedhub.publish.formats import renderers
from support.output_views import stored, view

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
ATOM = "{http://www.w3.org/2005/Atom}"
REPORTS = (
    StoryMember(
        item_id="urn:uuid:1",
        title="<script>alert(1)</script> & more",
        source="post",
        source_title='The "Post" <b>',
        published_at=AT,
        link="https://post.example/?a=1&b=2",
    ),
    StoryMember(item_id="urn:uuid:2", title="", source="gazette", published_at=AT, link="javascript:alert(1)"),
)


def rendered(kind: str, **facts: str) -> bytes:
    (renderer,) = renderers((kind,))
    return renderer.render(view(stored(0, Item(title="Ferry", **facts), reports=REPORTS))).body


@pytest.mark.parametrize(
    ("facts", "element"),
    [
        ({"content": f"<p>{'Long text. ' * 90}</p>"}, "{http://purl.org/rss/1.0/modules/content/}encoded"),
        ({"summary": "<p>Short.</p>"}, "description"),
        ({}, "description"),
    ],
)
def test_rss_lists_them_at_the_end_of_the_text_as_text(facts: dict[str, str], element: str) -> None:
    body = rendered("rss", **facts)
    shown = etree.fromstring(body).findtext(f".//item/{element}") or ""
    assert "<script" not in shown
    assert "javascript:" not in body.decode()
    *_, listed = html.fragments_fromstring(shown)
    assert [line.text_content() for line in listed.iter("li")] == [
        '<script>alert(1)</script> & more (The "Post" <b>)',
        "gazette (gazette)",
    ]
    assert [link.get("href") for link in listed.iter("a")] == ["https://post.example/?a=1&b=2"]
    assert "其他报道" in shown, "in the language of the site"


def test_atom_links_to_them_and_leaves_the_text_alone() -> None:
    entry = etree.fromstring(rendered("atom", summary="<p>Short.</p>")).find(f"{ATOM}entry")
    assert entry is not None
    links = [link for link in entry.iter(f"{ATOM}link") if link.get("rel") == "related"]
    assert [(link.get("href"), link.get("title")) for link in links] == [
        ("https://post.example/?a=1&b=2", 'The "Post" <b>: <script>alert(1)</script> & more')
    ]
    assert entry.findtext(f"{ATOM}content") == "<p>Short.</p>"


def test_json_feed_has_them_in_its_extension() -> None:
    (item,) = json.loads(rendered("json"))["items"]
    assert item["_feedhub"]["also_reported_by"] == [
        {
            "title": "<script>alert(1)</script> & more",
            "url": "https://post.example/?a=1&b=2",
            "source": 'The "Post" <b>',
            "date_published": "2026-03-02T08:00:00+00:00",
        },
        {"title": "gazette", "source": "gazette", "date_published": "2026-03-02T08:00:00+00:00"},
    ]
