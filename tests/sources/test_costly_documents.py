"""GUARANTEES 8: what parsers take quadratic time for is bounded, or made linear, before they get it."""

import time
from collections.abc import Callable

import pytest

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.source import Source
from feedhub.sources.feed.discover import discover_feeds
from feedhub.sources.mapped.html_page import read_page
from feedhub.sources.markup import has_too_many_attributes
from support.reading import read_and_clean

URL = "https://feeds.example/f"
NAMES = [f"a{number}" for number in range(100_000)]
MORE = [f"b{number}" for number in range(50_000)]
_XHTML = '<entry><id>u</id><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">'


def rss(inside: str) -> str:
    return f'<rss version="2.0"><channel><title>T</title><item><title>first</title></item>{inside}</channel></rss>'


def atom(inside: str) -> str:
    return (
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><title>first</title></entry>{inside}</feed>'
    )


def prefixed(text: str, prefixes: int) -> str:
    root, space, rest = text.partition(" ")
    return root + "".join(f' xmlns:{name}="u:{name}"' for name in NAMES[:prefixes]) + space + rest


def full(names: list[str]) -> str:
    return " ".join(f'{name}="x"' for name in names)


def labels(names: list[str]) -> str:
    return "".join(f"<category>{name}</category>" for name in names)


COSTLY: dict[str, Callable[[int], str]] = {
    "attributes": lambda part: rss(f"<item {full(NAMES[::part])}><title>x</title></item>"),
    "attributes, broken": lambda part: rss(f"<item {full(NAMES[::part])}><title>x & <b>y</title></item>"),
    "attributes of a title": lambda part: rss(f"<item><title {full(NAMES[::part] + MORE[::part])}>x</title></item>"),
    "attributes, xhtml": lambda part: atom(f"{_XHTML}<p {full(NAMES[::part])}>x</p></div></content></entry>"),
    "prefixes": lambda part: prefixed(rss("<item xmlns:b='u:b'><a1:x/></item>" * (20_000 // part)), 20_000 // part),
    "99 prefixes": lambda part: prefixed(rss(f"<item xmlns:b='u:b'>{'<a1:x/>' * (1_000_000 // part**2)}</item>"), 99),
    "prefixes, xhtml": lambda part: prefixed(
        atom(f"{_XHTML}{'<p/>' * (20_000 // part)}</div></content></entry>"), 20_000 // part
    ),
    "xhtml that is never closed": lambda part: atom(f"{_XHTML}{'<p>x' * (300_000 // part)}"),
    "xhtml that is broken": lambda part: atom(f"{_XHTML}&x <b></i>{'<p>x' * (300_000 // part)}"),
    "a million elements": lambda part: atom(f"{_XHTML}{'<p>x</p>' * (1_000_000 // part)}</div></content></entry>"),
    "labels": lambda part: rss(f"<item>{labels(NAMES[::part])}</item>"),
    "labels, read by feedparser": lambda part: rss(f"<item x='1'>{labels(NAMES[::part])}</item>"),
}


# At a push not all of it, but enough that a reader without bounds takes longer than five seconds.
HALVED = {"labels", "attributes", "attributes, broken", "attributes of a title", "attributes, xhtml", "prefixes, xhtml"}
PUSH = [pytest.param(text, 2 if name in HALVED else 5, 5.0, id=name) for name, text in COSTLY.items()]
NIGHTLY = [pytest.param(text, 1, 30.0, id=f"{name}: all", marks=pytest.mark.nightly) for name, text in COSTLY.items()]


@pytest.mark.parametrize(("text", "part", "seconds"), [*PUSH, *NIGHTLY])
def test_a_document_made_to_be_slow_is_not(text: Callable[[int], str], part: int, seconds: float) -> None:
    document = Document(url=URL, body=text(part).encode(), digest="")
    started = time.process_time()
    feed = read_and_clean(document, Source(name="s", url=URL))

    # Minutes at full size without the bounds; a third of the limit or less when nothing else runs.
    assert time.process_time() - started < seconds
    assert feed.items[0].title == "first"
    assert all(len(item.tags) <= 100 for item in feed.items)


@pytest.mark.nightly
def test_of_a_document_of_a_million_elements_the_rest_is_not_read_and_that_is_said() -> None:
    body = rss("".join(f"<item><title>{n}</title>{'<x/>' * 98}</item>" for n in range(3_000))).encode()
    feed = read_and_clean(Document(url=URL, body=body, digest=""), Source(name="s", url=URL))

    assert 1_900 < len(feed.items) <= 2_001
    assert "the rest was not read: it has more than 200000 elements" in feed.notes


CROWDED = {
    "by blanks": "<a " + " ".join(NAMES) + ">",
    "by slashes": "<a " + "/".join(NAMES) + ">",
    "by values": "<a " + '=""'.join(NAMES) + ">",
    "with < in values": "<a " + '="<" '.join(NAMES) + ">",
    "with > in values": "<a " + '=">" '.join(NAMES) + ">",
    "with tags in values": "<a " + "='<b c=>' ".join(NAMES) + ">",
    "hidden by a comment": f'<!-- <a b=" --><a {" ".join(NAMES)}>',
    "hidden by a quotation that is none": f'<a ="<b {" ".join(NAMES)}>',
    "hidden by a script": f'<script>"<a b=\\"</script><a {" ".join(NAMES)}>',
    "never closed": "<a " + " ".join(NAMES),
    "many tags": ("<a " + " ".join(NAMES[:500]) + ">") * 1_000,
}


@pytest.mark.parametrize("markup", CROWDED.values(), ids=CROWDED)
def test_tags_too_full_of_attributes_are_told_however_they_are_written(markup: str) -> None:
    started = time.process_time()

    assert has_too_many_attributes(markup)
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "markup",
    [
        '<div class="a b"><p>text <a href="https://e.example/a/b?x=1&y=2" title="words">l</a><br/></div>' * 5_000,
        '<script>for(var i=0;i<n.length;i++){a[i]="x\'"; b = c < d && e>f; g = `<p class="x">`;}</script>' * 3_000,
        '<a href="x?y==">a</a>"q" <img alt=\'it="s\' src=1>' * 5_000,
        "a < b and " * 50_000,
        f'<img src="data:image/png;base64,{"A/b+" * 200_000}==" alt="">',
    ],
    ids=["article", "script", "odd quotes", "comparisons", "picture"],
)
def test_ordinary_markup_is_not_crowded(markup: str) -> None:
    assert not has_too_many_attributes(markup)


def test_a_crowded_page_is_refused_before_it_is_parsed() -> None:
    page = f"<html><body><a {' '.join(NAMES)}>x</a><link rel=alternate type=application/rss+xml href=/f>".encode()
    document = Document(url=URL, body=page, digest="")
    started = time.process_time()

    assert discover_feeds(document) == ()
    with pytest.raises(ParseError, match="the tags of the page have too many attributes"):
        read_page(document, Source(name="s", url=URL, kind="html"))
    assert time.process_time() - started < 10
