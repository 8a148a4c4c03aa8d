"""How one record of an API or a page becomes an item, by the fields that its source maps (SPEC §3.1)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from markdown_it import MarkdownIt

from feedhub.model.document import Document
from feedhub.model.item import Enclosure, Markup, ParsedFeed, ParsedItem, Person, Rejected
from feedhub.model.report import FieldTrace
from feedhub.model.source import FieldMap, RecordMap, Source
from feedhub.rules.dates import is_exact
from feedhub.rules.mapping import (
    FieldResult,
    apply_fields,
    read_mapped_date,
    shown,
    template_values,
    text_of,
    traced_field,
)
from feedhub.rules.text import label_text
from feedhub.sources import records
from feedhub.sources.markup import http_url

# Hostile Markdown of this length takes one to two seconds; a longer text is shown as it is written.
LONGEST_MARKDOWN = 100_000


def html_of(text: str) -> str:
    """Return Markdown (CommonMark, tables, strikethrough) as HTML, in which HTML of its own is text; not sanitised.

    ``text`` has at most ``LONGEST_MARKDOWN`` characters.
    """
    return str(_renderer().render(text))


@lru_cache(maxsize=1)
def _renderer() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


# A record without one of these, if it is mapped, becomes no item; all other fields may be missing.
_REQUIRED = ("id", "title", "published")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentContext:
    """What a record does not say itself: the base of its addresses, the zone of its dates, when it was fetched."""

    url: str
    zone: tzinfo
    fetched_at: datetime | None


def context_of(document: Document, source: Source, url: str) -> DocumentContext:
    """Return the context of the records of a document whose addresses are relative to ``url``."""
    return DocumentContext(url=url, zone=ZoneInfo(source.timezone), fetched_at=document.fetched_at)


def with_left_out(feed: ParsedFeed, positions: Sequence[int], left_out: Iterable[Rejected]) -> ParsedFeed:
    """Return ``feed`` with the records that ``where`` left out, all at their positions in the list as it came.

    ``positions`` are those of the records that were read.
    """
    items = (replace(item, position=positions[item.position]) for item in feed.items)
    rejected = [replace(record, position=positions[record.position]) for record in feed.rejected]
    ordered = sorted([*rejected, *left_out], key=lambda record: record.position)
    return replace(feed, items=tuple(items), rejected=tuple(ordered))


class RecordReader:
    """The mapped fields of one record. A field that cannot be understood gives no value; its fault is noted."""

    def __init__(self, mapping: RecordMap, record: object, context: DocumentContext) -> None:
        self._fields: Mapping[str, FieldMap] = dict(mapping.fields)
        self._record = record
        self._context = context
        self._results: Mapping[str, FieldResult] = apply_fields(mapping.fields, record)
        self._faults: dict[str, str] = {}

    def item(self, position: int) -> ParsedItem:
        """Return the record as an item.

        Raises:
            Unusable: a mapped id, title or date is empty or cannot be read.
        """
        item = self._read(position)
        reasons = [reason for name in _REQUIRED if (reason := self._reason(name))]
        if reasons:
            raise records.Unusable("; ".join(reasons))
        return records.make_item(item)

    def described(self) -> tuple[str, str | None, str | None]:
        """Return title, link and guid as far as they can be read."""
        return self._title(), self._address("link"), self._guid()

    def traces(self) -> tuple[FieldTrace, ...]:
        """Return what every path gave; one whose value cannot be understood has failed."""
        self._read(0)
        values = template_values(self._results)
        return tuple(
            replace(trace, state="failed", value=self._faults[name])
            if name in self._faults and trace.state == "gave" and trace.path == self._results[name].path
            else trace
            for name, field in self._fields.items()
            for trace in traced_field(name, field, self._record, values)
        )

    def _read(self, position: int) -> ParsedItem:
        link = self._address("link")
        return ParsedItem(
            position=position,
            title=self._title(),
            text_digest="",
            guid=self._guid(),
            link=link,
            published_at=(published_at := self._instant()),
            has_rough_date=published_at is not None and not is_exact(self._text("published")),
            summary=self._markup("summary", link),
            content=self._markup("content", link),
            authors=records.people_of(Person(name=name) for name in self._labels("author")),
            tags=records.tags_of(self._labels("tags")),
            language=records.language_of(self._text("language")),
            image=self._address("image", link),
            comments=self._address("comments", link),
            enclosures=records.enclosures_of(self._enclosures(link)),
        )

    def _reason(self, name: str) -> str:
        if name not in self._fields:
            return ""
        result = self._results[name]
        if name in self._faults:
            return f"fields.{name}: {result.path}: {self._faults[name]}"
        return result.reason

    def _text(self, name: str) -> str:
        value = self._results[name].value if name in self._results else None
        return value if isinstance(value, str) else ""

    def _parts(self, name: str) -> tuple[object, ...]:
        value = self._results[name].value if name in self._results else None
        return value if isinstance(value, tuple) else ()

    def _labels(self, name: str) -> Iterator[str]:
        return (label_text(part) for part in self._parts(name) if isinstance(part, str))

    def _guid(self) -> str | None:
        return records.guid_of(self._text("id"))

    def _title(self) -> str:
        text = self._text("title")
        is_plain = bool(text) and self._fields["title"].kind == "text"
        title = records.title_of(text if is_plain else label_text(text))
        if text and not title:
            self._faults["title"] = f"{shown(text)} has no visible text"
        return title

    def _instant(self) -> datetime | None:
        text = self._text("published")
        if not text:
            return None
        try:
            return read_mapped_date(
                text, self._fields["published"].formats, self._context.zone, self._context.fetched_at
            )
        except ValueError as exc:
            self._faults["published"] = str(exc)
            return None

    def _address(self, name: str, page: str | None = None) -> str | None:
        text = self._text(name)
        return self._joined(name, text, page) if text else None

    def _joined(self, name: str, text: str, page: str | None) -> str | None:
        """Return an address that is relative to the ``base`` of its field, the ``page`` of the record, the document."""
        address = http_url(text, self._fields[name].base or page or self._context.url)
        if address is None:
            self._faults[name] = f"{shown(text)} is no http(s) address"
        return address

    def _markup(self, name: str, link: str | None) -> Markup | None:
        text = self._text(name)
        if not text:
            return None
        field = self._fields[name]
        kind = field.kind
        if kind == "markdown":
            is_short = len(text) <= LONGEST_MARKDOWN
            kind, text = ("html", html_of(text)) if is_short else ("text", text)
        return records.markup(text, kind, field.base or link or self._context.url)

    def _enclosures(self, page: str | None) -> Iterator[Enclosure]:
        for part in self._parts("enclosures"):
            known = part if isinstance(part, dict) else {"url": part}
            url = self._joined("enclosures", text_of(known.get("url")) or "", page)
            if url:
                yield Enclosure(
                    url=url,
                    media_type=records.media_type_of(known.get("type")),
                    length=records.whole_number(known.get("length")),
                    duration=records.seconds_of(known.get("duration")),
                    title=records.title_of(known.get("title")) or None,
                )
