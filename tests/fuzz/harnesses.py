"""What is fuzzed: every way in which strangers' bytes come in, each with what must hold whatever they are."""

import contextlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hypothesis import strategies as st

from feedhub.config.opml import read_opml, sources_yaml
from feedhub.config.yaml_tree import read_tree
from feedhub.errors import ConfigError, ParseError, RedirectError, RefusedAddressError, UsageError
from feedhub.fetch.guard import AddressGuard
from feedhub.fetch.http import RedirectChain, freshness_of, validators_of
from feedhub.model.document import Document
from feedhub.model.item import ParsedFeed
from feedhub.model.source import DetailMap, FieldMap, PageMap, RecordMap, Source
from feedhub.publish.formats import renderers
from feedhub.rules.dates import parse_date
from feedhub.rules.identity import keyed_document
from feedhub.rules.text import clean_text, plain
from feedhub.rules.urls import canonical_url
from feedhub.runtime.plugins import load_settings
from feedhub.sources.feed.discover import feeds_in_page
from feedhub.sources.mapped.full_text import read_detail
from feedhub.sources.mapped.json_api import trace_json_api, unwrapped
from feedhub.sources.markup import HtmlCleaner, harmless
from fuzz.mutation import as_json, broken, elements, json_values, objects, seeds, texts
from support.feed_checks import check_feed
from support.output_views import stored, view
from support.reading import read_document
from support.sanitised import check_sanitised

URL = "https://evil.example/dir/feed"
NOW = datetime(2026, 2, 5, 9, 0, tzinfo=UTC)

_FEED_TAGS = (
    "rss channel item title link description guid pubDate author category enclosure content:encoded dc:date dc:creator "
    "media:content itunes:duration feed entry id updated published summary content name email source rdf:RDF "
    "div p a img svg math style script"
).split()
_FEED_ATTRIBUTES = (
    "xml:base xml:lang href rel type url length src xmlns xmlns:media isPermaLink term label mode".split()
)
_HTML_TAGS = (
    "a p b i div table tr td ul li img iframe video source svg math style script template noscript select option form "
    "input textarea title plaintext xmp mglyph mtext annotation-xml foreignObject desc base meta object embed pre br"
).split()
_HTML_ATTRIBUTES = (
    "href src srcset data-src style onload id class name action xlink:href srcdoc poster cite width".split()
)
_ITEM_KEYS = (
    "id url external_url title content_html content_text summary image date_published authors tags attachments language"
).split()
_RECORD_KEYS = "id title link summary content at author tags image file ad".split()


def _at(*paths: str, **more: Any) -> FieldMap:
    return FieldMap(paths=paths, **more)


_JSON = Source(
    name="s",
    url=URL,
    kind="json",
    timezone="Asia/Shanghai",
    records=RecordMap(
        items="data.list[]",
        where="ad != `true`",
        error="errno && errno != `0`",
        fields=(
            ("id", _at("id", "title")),
            ("title", _at("title", "summary", strip="^【[^】]*】", limit=50)),
            ("link", FieldMap(paths=("link",), template="https://evil.example/a/{id}?t={title}")),
            ("summary", _at("summary", kind="text")),
            ("content", _at("content", kind="markdown")),
            ("published", _at("at", formats=("%Y-%m-%d %H:%M:%S", "epoch_ms", "epoch", "relative", "iso"))),
            ("author", _at("author.name", "author")),
            ("tags", _at("tags[*].name", "tags")),
            ("image", _at("image", base="https://img.example/")),
            ("enclosures", _at("file")),
        ),
    ),
    pages=PageMap(cursor="data.next", max=3),
)
_HTML = Source(
    name="s",
    url=URL,
    kind="html",
    records=RecordMap(
        items="li, div, p, tr",
        where=":not(.ad)",
        fields=(
            ("title", _at("a", ".")),
            ("link", _at("a@href", "@href")),
            ("content", _at("td", ".")),
            ("published", _at("time@datetime", "i")),
            ("image", _at("img@src")),
        ),
    ),
)
_ARTICLE = Source(name="s", url=URL, detail=DetailMap(extract="article"))
_CHOSEN = Source(name="s", url=URL, detail=DetailMap(css="article, div, td", replace=(("x", "<b>"),)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """A reader under fuzzing. ``share`` is its part of a long run; ``seconds`` what one input may take in CPU time."""

    name: str
    inputs: st.SearchStrategy[Any]
    run: Callable[[Any], None]
    share: int = 1
    seconds: float = 2.0


def _document(body: bytes) -> Document:
    return Document(url=URL, body=body, digest="", fetched_at=NOW)


def _published(feed: ParsedFeed, source: Source) -> None:
    """Take items all the way to the files: clean, with keys, valid in every format."""
    cleaner = HtmlCleaner()
    items = [cleaner.clean(item, source) for item in feed.items[:20]]
    keyed_document(feed.items, source)
    for item in items:
        assert plain(item.title) == item.title
        for markup in (item.summary, item.content):
            check_sanitised(markup or "")
    shown = view(*(stored(number, item) for number, item in enumerate(items)))
    for renderer in renderers(("atom", "rss", "json")):
        file = renderer.render(shown)
        assert not check_feed(file.path, file.body), check_feed(file.path, file.body)


def _read(source: Source) -> Callable[[bytes], None]:
    def run(body: bytes) -> None:
        with contextlib.suppress(ParseError):
            _published(read_document(_document(body), source), source)

    return run


def _feed(body: bytes) -> None:
    _read(Source(name="s", url=URL))(body)


def _mapped(body: bytes) -> None:
    _read(_JSON)(body)
    with contextlib.suppress(ParseError):
        trace_json_api(_document(body), _JSON, 3)


def _detail(source: Source) -> Callable[[bytes], None]:
    def run(body: bytes) -> None:
        with contextlib.suppress(ParseError):
            content = read_detail(_document(body), source).content
            assert content is not None
            check_sanitised(harmless(content.value, content.base))

    return run


def _jsonp(text: str) -> None:
    with contextlib.suppress(ParseError):
        assert unwrapped(text) in text


def _page(text: str) -> None:
    for feed in feeds_in_page(clean_text(text), URL):
        assert urlsplit(feed.url).scheme in ("http", "https")


def _markup(text: str) -> None:
    check_sanitised(harmless(clean_text(text), URL))


def _opml(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        offer = read_opml(data)
        assert all(urlsplit(each.url).scheme.lower() in ("http", "https") for each in offer.subscriptions)
        tree = read_tree(sources_yaml(offer.subscriptions, ["taken"]))
        assert not tree.faults


def _configuration(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    read_tree(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "feedhub.yaml")
        path.write_text(text, encoding="utf-8")
        with contextlib.suppress(ConfigError):
            load_settings(str(path), environ={"HOME": "/h", "TOKEN": "t" * 20}, cwd=folder)


def _header(values: tuple[str, str, str]) -> None:
    name, value, address = values
    headers = {"Location": value, "ETag": value, "Cache-Control": value, "Retry-After": value, "Expires": name}
    freshness_of(headers, NOW)
    validators_of(headers)
    canonical_url(address)
    parse_date(value, zone=UTC, now=NOW)
    with contextlib.suppress(RefusedAddressError):
        AddressGuard().check_url(address)
    trail = RedirectChain("https://evil.example/a")
    with contextlib.suppress(RedirectError, RefusedAddressError):
        trail.follow(302, {"Location": address or value})
        AddressGuard().check_url(trail.url)
        assert urlsplit(trail.url).scheme in ("http", "https")
        assert trail.url.isascii()
        assert not re.search(r"[\x00-\x20]", trail.url)
        assert "@" not in urlsplit(trail.url).netloc


_grown_feeds = st.builds(
    lambda head, body: f"{head}{body}".encode("utf-8", "surrogatepass"),
    st.sampled_from(
        (
            '<rss version="2.0"><channel><item>',
            '<feed xmlns="http://www.w3.org/2005/Atom"><entry>',
            "<rdf:RDF><item>",
            "",
        )
    ),
    elements(_FEED_TAGS, _FEED_ATTRIBUTES),
)
_grown_pages = elements(_HTML_TAGS, _HTML_ATTRIBUTES).map(
    lambda text: f"<!doctype html><body>{text}".encode("utf-8", "surrogatepass")
)
_json_feeds = objects(("version", "title", "items", "authors", "language", "home_page_url")).flatmap(
    lambda base: st.lists(objects(_ITEM_KEYS) | json_values, max_size=4).map(
        lambda items: as_json({"version": "https://jsonfeed.org/version/1.1", **base, "items": items})
    )
)
_answers = st.lists(objects(_RECORD_KEYS) | json_values, max_size=5).flatmap(
    lambda records: objects(("next", "list")).map(lambda data: as_json({"errno": 0, "data": {**data, "list": records}}))
)
_wrapped = st.tuples(
    st.sampled_from(
        ("", "var x=", "cb(", "try{cb(", "/**/cb(", "a.b['c'](", "/*" * 9, ")]}'\n", "typeof cb==='function'&&cb(")
    ),
    json_values.map(lambda value: as_json(value).decode()) | texts,
    st.sampled_from(("", ";", ");", ");}catch(e){}", ")" * 9, "*/", "catch")),
).map("".join)
_addresses = st.tuples(
    st.sampled_from(("http://", "https://", "//", "/", "", "file://", "HTTP://", "http:/", "http:\\\\", "feed:")),
    texts,
    st.sampled_from(("", "@h", ":80", "/p?q#f", "@[::1]/", ":99999", "。com/", ".example/")),
).map("".join)

HARNESSES = (
    Harness(
        name="feed",
        inputs=broken(
            seeds("sources/data/*.xml", "sources/data/*.rdf", "publish/golden/*.atom", "publish/golden/*.rss"),
            ("<item>", "</item>", "<entry>", "<?xml encoding='x'?>", "<!DOCTYPE a [", "xml:base='//b'", 'type="xhtml"'),
        )
        | _grown_feeds,
        run=_feed,
        share=4,
    ),
    Harness(
        name="json feed",
        inputs=broken(
            seeds("sources/data/json_feed*.json", "publish/golden/*.json"),
            ("{", "[", '"items":', "null", "\\u0000", "\\ud800"),
        )
        | _json_feeds,
        run=_feed,
        share=2,
    ),
    Harness(
        name="json api",
        inputs=_answers | broken((b'{"data":{"list":[{"id":1,"title":"a","at":"2026-01-01"}]}}',), ("null", "[", "{")),
        run=_mapped,
        share=2,
    ),
    Harness(name="jsonp", inputs=_wrapped, run=_jsonp),
    Harness(
        name="html page",
        inputs=_grown_pages | broken(seeds("sources/pages/*.html"), ("<li>", "<base href='//x'>")),
        run=_read(_HTML),
        share=2,
    ),
    Harness(
        name="article",
        inputs=broken(seeds("sources/pages/*.html"), ("<p>", "<div>", "<table>")) | _grown_pages,
        run=_detail(_ARTICLE),
        share=2,
        seconds=5.0,
    ),
    Harness(
        name="detail by css",
        inputs=_grown_pages | broken(seeds("sources/pages/*.html"), ("<article>",)),
        run=_detail(_CHOSEN),
    ),
    Harness(
        name="discovery",
        inputs=elements(("link", "a", "base", "html", "head"), ("href", "rel", "type", "title")),
        run=_page,
    ),
    Harness(name="markup", inputs=elements(_HTML_TAGS, _HTML_ATTRIBUTES), run=_markup, share=3),
    Harness(
        name="opml",
        inputs=broken(seeds("publish/golden/*.opml"), ("<outline>", 'xmlUrl="exec:id"', "<!ENTITY a 'b'>"))
        | elements(("opml", "body", "outline"), ("xmlUrl", "text", "title", "category", "type")).map(
            lambda text: f"<opml>{text}".encode("utf-8", "surrogatepass")
        ),
        run=_opml,
    ),
    Harness(
        name="configuration",
        inputs=broken(
            seeds("../config/examples/*.yaml", "../config/feedhub.yaml"),
            ("- ", ": ", "&a ", "*a ", "<<: ", "!!python/object ", "? ", "| ", "\t", "${X:-", "[[[[", "\n---\n"),
        ),
        run=_configuration,
        share=2,
    ),
    Harness(name="headers and addresses", inputs=st.tuples(texts, texts, _addresses), run=_header),
)
