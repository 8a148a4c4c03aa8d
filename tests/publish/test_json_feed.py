"""Our JSON files say everything once: no blanks, an item a line, one text where there is but one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.model.item import Item
from feedhub.publish.formats import renderers
from feedhub.publish.json_feed import json_text, listing
from support.output_views import stored, view

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(st.text(), VALUES, max_size=3), st.lists(VALUES, max_size=4))
def test_a_listing_reads_back_with_an_item_on_each_line(head: dict[str, object], items: list[object]) -> None:
    head.pop("items", None)
    text = listing({**head, "items": []}, [json_text(item).encode() for item in items])
    assert json.loads(text) == {**head, "items": items}
    assert text.count(b"\n") == (len(items) + 2 if items else 1)


@pytest.mark.parametrize(
    ("summary", "content", "shown"),
    [
        ("<p>Only this.</p>", None, ("<p>Only this.</p>", None)),
        ("Only this.", "<p>Only this.</p>", ("<p>Only this.</p>", None)),
        ("In short.", "<p>At length.</p>", ("<p>At length.</p>", "In short.")),
        ("Word. " * 40, f"<p>{'Word.  ' * 40}</p>", (f"<p>{'Word.  ' * 40}</p>", None)),
        ("Word. " * 40, f"<p>{'Word. ' * 90}</p>", (f"<p>{'Word. ' * 90}</p>", ("Word. " * 40).strip())),
        ("Word. " * 40, f"{'<p> </p>' * 400}{'Word. ' * 40}", (f"{'<p> </p>' * 400}{'Word. ' * 40}", None)),
        (None, "<p>At length.</p>", ("<p>At length.</p>", None)),
    ],
    ids=[
        "only a summary",
        "a summary that says the same",
        "both",
        "a long one that says the same",
        "the beginning of the content",
        "the same after much room",
        "only a content",
    ],
)
def test_a_summary_stands_beside_the_content_only_if_it_says_something_else(
    summary: str | None, content: str | None, shown: tuple[str, str | None]
) -> None:
    item = stored(1, Item(title="A title", summary=summary, content=content))
    (renderer,) = renderers(("json",))
    (found,) = json.loads(renderer.render(view(item)).body)["items"]
    assert (found["content_html"], found.get("summary")) == shown
