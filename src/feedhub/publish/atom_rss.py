"""Atom (RFC 4287) and RSS 2.0. feedgen makes the document; its entries are text of our own (docs/decisions/0013)."""

import re
import uuid
from collections.abc import Mapping, Sequence
from email.utils import format_datetime
from functools import lru_cache, partial
from html import escape
from typing import Any, Final
from urllib.parse import quote

from feedgen.feed import FeedGenerator
from feedgen.util import xml_elem
from lxml import etree

from feedhub.model.item import Enclosure, Person, StoredItem
from feedhub.model.output import OutputFeed, OutputSettings, OutputView, Site
from feedhub.publish.addresses import (
    FEED_STYLE_PATH,
    SEARCH_FEED,
    SEARCH_PAGE,
    category_scheme,
    feed_id,
    feed_path,
    feed_url,
    home_url,
)
from feedhub.publish.entry import OCTETS, Entry, EntryCache, Upstream, excerpt_of, language_tag, safe_line, whole_second
from feedhub.publish.formats import ATOM_FORMAT, FORMATS, FormatRenderer
from feedhub.publish.page_texts import texts_in
from feedhub.rules.select import output_view

NAME = "feedhub"
"""The attribute of feedgen's feeds under which the extension is found."""

ATOM = "http://www.w3.org/2005/Atom"
DC = "http://purl.org/dc/elements/1.1/"
ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
MEDIA = "http://search.yahoo.com/mrss/"
_STYLE: Final = '<?xml-stylesheet type="text/css" href="{}{}"?>\n'
_HISTORY = "http://purl.org/syndication/history/1.0"
_TYPES: Final = {one.name: {"type": one.media_type} for one in FORMATS.formats}


class AtomFeed:
    """Extends feedgen's Atom feed; ``links`` are attributes by relation, ``is_archive`` says that nothing new comes."""

    links: Mapping[str, Mapping[str, str]]
    is_archive: bool

    def extend_ns(self) -> dict[str, str]:
        """Name the namespaces once, at the root."""
        return {"media": MEDIA, **({"fh": _HISTORY} if self.is_archive else {})}

    def extend_atom(self, feed: Any) -> None:
        """Say that texts are texts (RFC 4287 §3.1.1), and where the archive goes on."""
        _type_texts(feed, "title", "subtitle")
        if self.is_archive:
            xml_elem(f"{{{_HISTORY}}}archive", feed)
        for rel, facts in self.links.items():
            xml_elem("link", feed, rel=rel, **facts)


class RssFeed:
    """Extends feedgen's RSS feed as ``AtomFeed`` does the other."""

    links: Mapping[str, Mapping[str, str]]
    is_archive: bool

    def extend_ns(self) -> dict[str, str]:
        """Name the namespaces once, at the root."""
        return {"dc": DC, "itunes": ITUNES, "media": MEDIA, **({"fh": _HISTORY} if self.is_archive else {})}

    def extend_rss(self, feed: Any) -> None:
        """Say where the archive goes on."""
        channel = feed.find("channel")
        if self.is_archive:
            xml_elem(f"{{{_HISTORY}}}archive", channel)
        for rel, facts in self.links.items():
            xml_elem(f"{{{ATOM}}}link", channel, rel=rel, **facts)


def _type_texts(element: Any, *names: str) -> None:
    for name in names:
        for text in element.findall(name):
            text.set("type", "text")


def render_atom(view: OutputView, cache: EntryCache) -> bytes:
    """Return the Atom document of ``view``.

    Raises:
        ValueError: the view breaks its own contract (an id or the site's address is empty).
    """
    entries = atom_entries(view, cache)
    generator = generator_of(view, "atom")
    generator.register_extension(NAME, AtomFeed, rss=False)
    place_in_archive(generator, view, "atom")
    return _around(_styled(generator.atom_str(pretty=True), view), b"</feed>", entries)


def render_rss(view: OutputView, cache: EntryCache) -> bytes:
    """Return the RSS document of ``view``.

    Raises:
        ValueError: the view breaks its own contract (an id or the site's address is empty).
    """
    items = rss_items(view, cache)
    generator = generator_of(view, "rss")
    generator.register_extension(NAME, RssFeed, atom=False)
    place_in_archive(generator, view, "rss")
    return _around(_styled(generator.rss_str(pretty=True), view), b"  </channel>", items)


def atom_entries(view: OutputView, cache: EntryCache) -> list[bytes]:
    """Return the entries of an Atom document; raises ValueError as that does."""
    return cache.written(view, "atom", partial(atom_text, scheme=category_scheme(view)))


def rss_items(view: OutputView, cache: EntryCache) -> list[bytes]:
    """Return the items of an RSS document; raises ValueError as that does."""
    also = texts_in(view.site.language)["also"]
    return cache.written(view, "rss", partial(rss_text, scheme=category_scheme(view), also=also))


def generator_of(view: OutputView, kind: str) -> Any:
    """Return feedgen's feed, without entries, with all that is said of ``view`` itself; ``kind`` is atom or rss."""
    site, feed = view.site, view.feed
    updated_at = whole_second(view.updated_at)
    title = safe_line(feed.title) or feed.slug
    description = safe_line(feed.description)
    generator = FeedGenerator()
    generator.id(feed_id(site, feed.slug))
    generator.title(title)
    if description or kind == "rss":
        generator.subtitle(description or title)
    # Without this feedgen says the current time. It sets lastBuildDate of RSS, too.
    generator.updated(updated_at)
    generator.pubDate(updated_at)
    generator.author(name=safe_line(site.author) or safe_line(site.title) or title)
    generator.link(href=feed_url(site, feed.slug, kind, view.part), rel="self", type=f"application/{kind}+xml")
    # The last link, because RSS takes the last one.
    generator.link(href=home_url(view), rel="alternate", type="text/html")
    # The version is left out, so that an upgrade of feedhub does not change every file.
    generator.generator("feedhub")
    generator.docs("")
    language = language_tag(site.language)
    if language:
        generator.language(language)
    return generator


def place_in_archive(generator: Any, view: OutputView, kind: str) -> None:
    """Say where the document stands in its archive (RFC 5005 §4), and which hub tells of changes (WebSub §4)."""
    extension = getattr(generator, NAME)
    slug = view.feed.slug
    extension.is_archive = view.part is not None
    links = {"current": {"href": feed_url(view.site, slug, kind)}} if view.part else {}
    for rel, part in (("prev-archive", view.older), ("next-archive", view.newer)):
        archived = kind if kind in view.archive_formats else next(iter(view.archive_formats), None)
        if part and archived:
            links[rel] = {"href": feed_url(view.site, slug, archived, part)}
            if archived != kind:
                # Whoever reads this format has to be told that the archive is of another one.
                links[rel] |= _TYPES.get(archived, {})
    if view.hub and view.part is None:
        links["hub"] = {"href": view.hub}
    extension.links = links


def _styled(document: bytes, view: OutputView) -> bytes:
    """Name the style sheet by which browsers show the feed, where there is one: it is published with the pages."""
    if not view.has_pages:
        return document
    declaration, line_end, rest = document.partition(b"\n")
    root = "../" * feed_path(view.feed.slug, "atom", view.part).count("/")
    return b"".join((declaration, line_end, _STYLE.format(root, FEED_STYLE_PATH).encode(), rest))


def _around(document: bytes, end: bytes, entries: list[bytes]) -> bytes:
    """Put ``entries`` at the end of a document, before what closes it."""
    place = document.rindex(end)
    return b"".join((document[:place], *entries, document[place:]))


def search_feed(
    query: str,
    site: Site,
    settings: OutputSettings,
    items: Sequence[StoredItem],
    addresses: dict[str, str],
    secrets: Sequence[str],
) -> bytes:
    """Return the Atom feed of a search. Its id is that of the query, its entries have the ids of the items.

    ``items`` come newest first; ``addresses`` and ``secrets`` decide which addresses of sources are shown.

    Raises:
        PublishError: it cannot be written.
    """
    feed = OutputFeed(slug=SEARCH_PAGE, title=f"{query} · {site.title}", description="", entries=len(items))
    view = output_view(feed, site, settings, items, addresses=addresses, secrets=secrets)
    root = etree.fromstring(FormatRenderer(ATOM_FORMAT).render(view).body)
    base = site.url.rstrip("/")
    root.find(f"{{{ATOM}}}id").text = uuid.uuid5(uuid.NAMESPACE_URL, f"{base}/{SEARCH_FEED}?q={query}").urn
    asked = quote(query, safe="")
    addresses_of = {"self": f"{base}/{SEARCH_FEED}?q={asked}", "alternate": f"{base}/{SEARCH_PAGE}?q={asked}"}
    for link in root.findall(f"{{{ATOM}}}link"):
        if link.get("rel") in addresses_of:
            link.set("href", addresses_of[link.get("rel")])
        else:
            # A search has no archive, and no hub is told of it.
            root.remove(link)
    body: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"
    return body


_MARKED: Final = re.compile('[&<>"\t\n]')


def atom_text(entry: Entry, scheme: str) -> bytes:
    """Return an entry, an element on each line. ``scheme`` is that of our own categories.

    Raises:
        ValueError: the entry breaks its own contract.
    """
    _check(entry)
    language = _attributes(("xml:lang", entry.language))
    pieces = [
        f"<entry{language}>\n",
        _element("id", entry.id),
        _atom_title(entry),
        _element("updated", entry.updated_at.isoformat()),
        *(_author(person) for person in entry.authors),
        *_text_elements(entry),
        *(_category(term, scheme) for term in entry.categories),
        *(_category(term, None) for term in entry.tags),
        _element("published", entry.published_at.isoformat()),
        *_links(entry),
        _source(entry.source),
    ]
    if entry.image:
        pieces.append(_empty("media:thumbnail", ("url", entry.image)))
    pieces.append("</entry>\n")
    return "".join(pieces).encode()


def _description(entry: Entry) -> str | None:
    """Return what readers show that know no ``content:encoded``: the summary, else the first words of the content."""
    return entry.summary or (entry.content and (excerpt_of(entry.content) or entry.content))


def rss_text(entry: Entry, scheme: str, also: str = "") -> bytes:
    """Return an item, an element on each line. ``scheme`` is that of our own categories.

    ``also`` stands before who else reports the same.

    Raises:
        ValueError: the entry breaks its own contract.
    """
    _check(entry)
    pieces = ["<item>\n"]
    description = _description(entry)
    shown = description and entry.directed(description)
    if not _has_content(entry, description):
        shown = f"{shown or ''}{_reported(entry, also)}"
    for name, text in (("title", entry.title), ("link", entry.link), ("description", shown)):
        if text:
            pieces.append(_element(name, text))
    pieces += [_element("author", f"{one.email} ({one.name})") for one in entry.authors if one.email]
    pieces.append(_element("guid", entry.id, ("isPermaLink", "false")))
    pieces += [_rss_category(term, scheme) for term in entry.categories]
    pieces += [_rss_category(term, None) for term in entry.tags]
    if entry.comments:
        pieces.append(_element("comments", entry.comments))
    for first in entry.enclosures[:1]:
        size, kind = str(first.length or 0), first.media_type or OCTETS
        pieces.append(_empty("enclosure", ("url", first.url), ("length", size), ("type", kind)))
    pieces.append(_element("pubDate", format_datetime(entry.published_at)))
    pieces.append(_rss_source(entry.source))
    pieces += _extras(entry, description, also)
    pieces.append("</item>\n")
    return "".join(pieces).encode()


def _check(entry: Entry) -> None:
    if not entry.id:
        raise ValueError("an entry has no id")


def _atom_title(entry: Entry) -> str:
    """Return the title that an entry of Atom has to have (RFC 4287 §4.1.2); the type of one that we made goes unsaid.

    Some readers take an empty title with a ``type`` for an object.
    """
    if entry.heading is None:
        return _element("title", entry.title, ("type", "text"))
    return _element("title", entry.heading) if entry.heading else _empty("title")


def _author(person: Person) -> str:
    name = _element("name", person.name)
    email = _element("email", person.email) if person.email else ""
    uri = _element("uri", person.uri) if person.uri else ""
    return f"<author>\n{name}{email}{uri}</author>\n"


def _text_elements(entry: Entry) -> list[str]:
    content, summary = entry.content, entry.summary
    if content is None and entry.link is None:
        # An entry needs a content or an alternate link (RFC 4287 §4.1.2), and readers show content before summary.
        content, summary = summary or "", None
    texts = []
    if content is not None:
        content, kind = content and entry.directed(content), ("type", "html")
        texts.append(_element("content", content, kind) if content else _empty("content", kind))
    if summary:
        texts.append(_element("summary", entry.directed(summary), ("type", "html")))
    return texts


def _links(entry: Entry) -> list[str]:
    links = []
    if entry.link:
        links.append(_empty("link", ("rel", "alternate"), ("href", entry.link)))
    if entry.comments:
        links.append(_empty("link", ("rel", "replies"), ("href", entry.comments)))
    for one in entry.enclosures:
        facts = (("type", one.media_type), ("length", _known(one.length)), ("title", one.title))
        links.append(_empty("link", ("rel", "enclosure"), ("href", one.url), *facts))
    for report in entry.reports:
        if report.link:
            said = f"{report.source}: {report.title}"
            links.append(_empty("link", ("rel", "related"), ("href", report.link), ("title", said)))
    return links


@lru_cache(maxsize=256)  # the categories and sources of neighbours are the same few
def _category(term: str, scheme: str | None) -> str:
    return _empty("category", ("term", term), ("scheme", scheme))


@lru_cache(maxsize=256)
def _rss_category(term: str, domain: str | None) -> str:
    return _element("category", term, ("domain", domain))


@lru_cache(maxsize=256)
def _rss_source(upstream: Upstream) -> str:
    return _element("source", upstream.title, ("url", upstream.url)) if upstream.url else ""


@lru_cache(maxsize=256)
def _source(upstream: Upstream) -> str:
    pieces = []
    identity = upstream.url or upstream.link
    if identity:
        pieces.append(_element("id", identity))
    pieces.append(_element("title", upstream.title, ("type", "text")))
    if upstream.url:
        pieces.append(_empty("link", ("rel", "self"), ("href", upstream.url)))
    if upstream.link:
        pieces.append(_empty("link", ("rel", "alternate"), ("href", upstream.link)))
    return f"<source>\n{''.join(pieces)}</source>\n"


def _extras(entry: Entry, description: str | None, also: str) -> list[str]:
    """Return what RSS has no element for."""
    pieces = []
    if entry.content and _has_content(entry, description):
        pieces.append(_element("content:encoded", entry.directed(entry.content) + _reported(entry, also)))
    pieces += [_element("dc:creator", person.name) for person in entry.authors if not person.email]
    if entry.language:
        pieces.append(_element("dc:language", entry.language))
    if entry.image:
        pieces.append(_empty("media:thumbnail", ("url", entry.image)))
    enclosures = entry.enclosures
    if enclosures and enclosures[0].duration:
        pieces.append(_element("itunes:duration", _clock(enclosures[0].duration)))
    # RSS has room for one enclosure; the others go where podcast and media readers look for them.
    return pieces + [_media(enclosure) for enclosure in enclosures[1:]]


def _has_content(entry: Entry, description: str | None) -> bool:
    """Tell whether an item has more text than its description."""
    return bool(entry.content) and entry.content != description


def _reported(entry: Entry, also: str) -> str:
    """Return who else reports the same, as a list at the end of a text: RSS has no element for it."""
    lines = []
    for one in entry.reports:
        title = escape(one.title)
        named = f'<a href="{escape(one.link)}">{title}</a>' if one.link else title
        lines.append(f"<li>{named} ({escape(one.source)})</li>")
    return f"<hr><p>{also}</p><ul>{''.join(lines)}</ul>" if entry.reports else ""


def _media(enclosure: Enclosure) -> str:
    facts = _attributes(
        ("url", enclosure.url),
        ("type", enclosure.media_type),
        ("fileSize", _known(enclosure.length)),
        ("duration", _known(enclosure.duration)),
    )
    if not enclosure.title:
        return f"<media:content{facts}/>\n"
    title = _element("media:title", enclosure.title, ("type", "plain"))
    return f"<media:content{facts}>\n{title}</media:content>\n"


def _element(name: str, text: str, *attributes: tuple[str, str | None]) -> str:
    return f"<{name}{_attributes(*attributes)}>{_escaped(text)}</{name}>\n"


def _empty(name: str, *attributes: tuple[str, str | None]) -> str:
    return f"<{name}{_attributes(*attributes)}/>\n"


def _attributes(*pairs: tuple[str, str | None]) -> str:
    """Return attributes; without those that are None."""
    return "".join([f' {name}="{_quoted(value)}"' for name, value in pairs if value is not None])


def _escaped(text: str) -> str:
    """Return a text between tags (XML 1.0 §2.4). Lines end with LF: see ``entry.py: safe_text``."""
    if not _MARKED.search(text):
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(value: str) -> str:
    """Return a value between double quotes; tabs and line breaks would be read as spaces (XML 1.0 §3.3.3)."""
    if not _MARKED.search(value):
        return value
    return _escaped(value).replace('"', "&quot;").replace("\t", "&#9;").replace("\n", "&#10;")


def _known(number: int | None) -> str | None:
    return None if number is None else str(number)


def _clock(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}"
