"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/), written by ourselves: feedgen has none."""

from feedhub.model.item import Enclosure, Person
from feedhub.model.output import OutputFile, OutputView
from feedhub.publish.addresses import feed_path, feed_url, page_url
from feedhub.publish.entry import OCTETS, Entry, EntryTexts, plain_text
from feedhub.publish.safe import JsonObject, json_bytes, language_tag, safe_line, without_none, written

VERSION = "https://jsonfeed.org/version/1.1"


class JsonFeedRenderer:
    """Writes ``feeds/<slug>.json``."""

    def __init__(self, texts: EntryTexts | None = None) -> None:
        self._texts = texts or EntryTexts()

    def render(self, view: OutputView) -> OutputFile:
        """Return the JSON Feed document of ``view``."""
        site, feed = view.site, view.feed
        title = safe_line(feed.title) or feed.slug
        document = without_none(
            {
                "version": VERSION,
                "title": title,
                "home_page_url": page_url(site, feed.slug, view.part if view.has_pages else None),
                "feed_url": feed_url(site, feed.slug, "json", view.part),
                "next_url": feed_url(site, feed.slug, "json", view.older) if view.older else None,
                "description": safe_line(feed.description) or None,
                "language": language_tag(site.language),
                "authors": [{"name": safe_line(site.author) or safe_line(site.title) or title}],
                "hubs": [{"type": "WebSub", "url": view.hub}] if view.hub and view.part is None else None,
                "items": [],
            }
        )
        body = _with_items(json_bytes(document), self._texts.of(view, "json", _item_text))
        return OutputFile(path=feed_path(feed.slug, "json", view.part), body=body)


def _with_items(document: bytes, items: list[bytes]) -> bytes:
    """Put items that are written already into a document that ends with an empty list of them."""
    if not items:
        return document
    end = b"]\n}\n"
    return b"".join((document.removesuffix(end), b"\n    ", b",\n    ".join(items), b"\n  ", end))


def _item_text(entry: Entry) -> bytes:
    return written(_item(entry), depth=2).encode()


def _item(entry: Entry) -> JsonObject:
    return without_none(
        {
            "id": entry.id,
            "url": entry.link,
            "title": entry.title or None,
            **_texts(entry),
            "image": entry.image,
            "date_published": entry.published_at.isoformat(),
            "date_modified": entry.updated_at.isoformat(),
            "authors": [_author(person) for person in entry.authors] or None,
            "tags": [*entry.categories, *entry.tags] or None,
            "language": entry.language,
            "attachments": [_attachment(enclosure) for enclosure in entry.enclosures] or None,
            "_feedhub": _ours(entry),
        }
    )


def _texts(entry: Entry) -> JsonObject:
    """Return the two texts. One of the contents is demanded, and many readers show nothing but that."""
    summary = plain_text(entry.summary) if entry.summary else ""
    shown = entry.content or entry.summary
    content: JsonObject = {"content_html": shown} if shown else {"content_text": ""}
    return {**content, "summary": summary or None}


def _author(person: Person) -> JsonObject:
    return without_none({"name": person.name, "url": person.uri})


def _attachment(enclosure: Enclosure) -> JsonObject:
    return without_none(
        {
            "url": enclosure.url,
            "mime_type": enclosure.media_type or OCTETS,
            "title": enclosure.title,
            "size_in_bytes": enclosure.length,
            "duration_in_seconds": enclosure.duration,
        }
    )


def _ours(entry: Entry) -> JsonObject:
    source = entry.source
    named = without_none({"name": source.name, "title": source.title, "link": source.link, "url": source.url})
    return without_none({"source": named, "comments": entry.comments})
