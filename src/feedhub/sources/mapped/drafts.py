"""Guesses how the answer of an API, or a page with a list of links, is to be read: a draft for ``feedhub add``.

What is guessed is shown before it is kept, so a guess may be wrong; it may not take long, whatever the document holds.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from itertools import islice
from typing import Any, Final, Literal

from lxml.html import HtmlElement

from feedhub.errors import ParseError
from feedhub.model.document import Document
from feedhub.model.source import Source
from feedhub.rules.dates import parse_date
from feedhub.rules.text import plain
from feedhub.sources.mapped.html_page import elements, read_page
from feedhub.sources.mapped.json_api import read_json
from feedhub.sources.markup import http_url

Paths = str | list[str] | dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """How a document might be read: ``items`` and ``fields`` as in YAML."""

    kind: Literal["json", "html"]
    title: str = ""
    items: str = ""
    fields: dict[str, Paths] = field(default_factory=dict)


def draft(document: Document, source: Source) -> Draft | None:
    """Return how an answer in JSON, or else a page, might be read; None where nothing like a list is found."""
    try:
        data, _ = read_json(document, source)
    except ParseError:
        return _draft_of_page(document, source)
    return _draft_of_json(data)


# An answer of an API.

_DEEPEST_LIST: Final = 5
_MOST_LOOKED_AT: Final = 2_000
_RECORDS: Final = 20
_MOST_PATHS: Final = 120
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WRAPPERS: Final = frozenset("rendered value text raw plain cdata name login".split())
_TITLES: Final = (
    "title headline arttitle newstitle storytitle posttitle subject caption heading simtitle name label question"
).split()
_LINKS: Final = (
    "htmlurl url link href permalink weburl shareurl arturl articleurl uniqueurl pageurl detailurl storyurl "
    "canonicalurl sourceurl urlw uri"
).split()
_DATES: Final = (
    "published publishedat publishat publisheddate publishdate publishtime pubdate pubtime dategmt date datetime "
    "createdat createdati createdate createtime created createdutc showtime displaytime displaydatetime releasetime "
    "releasedate noticedate posted postedat ctime time timestamp updatedat updated modified lastmodified mtime"
).split()
_IDS: Final = (
    "id guid uuid artcode infocode objectid docid articleid newsid storyid postid code key tid mid slug sha number"
).split()
_SUMMARIES: Final = "summary digest abstract description excerpt intro desc brief subtitle lead teaser".split()
_CONTENTS: Final = (
    "content contenthtml contenttext body bodyhtml html fulltext text richtext selftext storytext".split()
)
_AUTHORS: Final = "author authorname byline creator nickname username user source medianame sourcename".split()
_IMAGES: Final = "image imageurl coverimage cover thumbnail thumb picture pic picurl featuredimage".split()
_PICTURE: Final = re.compile(r"\.(?:jpe?g|png|gif|webp|svg|ico|mp4|mp3)(?:\?|$)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d{10}(?:\d{3}|\d{6})?(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A path in records, the name that it goes by, and what it gives in those that have it."""

    path: str
    name: str
    values: tuple[object, ...]


def _draft_of_json(data: object) -> Draft | None:
    drafts = [(_worth(fields, records), path, fields) for path, records in _lists(data) if (fields := _fields(records))]
    if not drafts:
        return None
    _, path, fields = max(drafts, key=lambda one: one[0])
    return Draft(kind="json", items=path, fields=fields)


def _worth(fields: dict[str, Paths], records: Sequence[object]) -> float:
    return 10 * ("link" in fields) + 8 * ("published" in fields) + 4 * ("id" in fields) + min(len(records), 20) / 4


def _lists(data: object) -> Iterator[tuple[str, Sequence[dict[str, object]]]]:
    """Yield every list of objects with the way to it, and lists of what stands within each of these."""
    waiting: list[tuple[str, object, int]] = [("", data, 0)]
    looked_at = 0
    while waiting and looked_at < _MOST_LOOKED_AT:
        path, value, depth = waiting.pop(0)
        looked_at += 1
        if isinstance(value, dict) and depth < _DEEPEST_LIST:
            waiting += [(_joined(path, key), part, depth + 1) for key, part in islice(value.items(), _MOST_PATHS)]
        elif isinstance(value, list) and value:
            records = [one for one in value[:_RECORDS] if isinstance(one, dict)]
            if 2 * len(records) <= len(value[:_RECORDS]):
                continue
            yield path, records
            for key in islice(records[0], _MOST_PATHS):
                inner = [one[key] for one in records if isinstance(one.get(key), dict)]
                if 2 * len(inner) > len(records):
                    yield f"{path}[*].{_key(key)}", inner


def _joined(path: str, key: str) -> str:
    return f"{path}.{_key(key)}" if path else _key(key)


def _key(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return key if _IDENTIFIER.fullmatch(key) else f'"{escaped}"'


def _fields(records: Sequence[dict[str, object]]) -> dict[str, Paths]:
    """Return which path gives which field of an item; nothing for records that have neither title nor text."""
    leaves = _leaves(records)
    taken: set[str] = set()

    def best(names: Sequence[str], fits: Callable[[_Leaf], bool]) -> _Leaf | None:
        found = [leaf for leaf in leaves if leaf.path not in taken and fits(leaf)]
        leaf = min(
            (leaf for leaf in found if leaf.name in names), key=lambda leaf: names.index(leaf.name), default=None
        ) or next((leaf for leaf in found if len(leaf.name) > 2 and leaf.name.endswith(tuple(names[:2]))), None)
        taken.update([leaf.path] if leaf else [])
        return leaf

    title = best(_TITLES, lambda leaf: _is_title(leaf, len(records)))
    link = best(_LINKS, lambda leaf: _is_link(leaf, len(records)))
    published = best(_DATES, _is_date)
    number = best(_IDS, lambda leaf: len(set(map(str, leaf.values))) == len(records))
    content = best(_CONTENTS, lambda leaf: _is_text(leaf, 1))
    summary = best(_SUMMARIES, lambda leaf: _is_text(leaf, 1))
    author = best(_AUTHORS, lambda leaf: _is_text(leaf, 1))
    image = best(_IMAGES, _is_address)
    text = content or summary
    fields: dict[str, Paths] = {}
    if title is None and text is None:
        return {}
    if title is not None:
        is_complete = all(str(value).strip() for value in title.values) and len(title.values) == len(records)
        spare = None if is_complete else text
        fields["title"] = {"path": [title.path, spare.path], "limit": 80} if spare else title.path
    elif text is not None:
        fields["title"] = {"path": text.path, "limit": 80}
    named = {"link": link, "published": published, "id": number, "summary": summary, "content": content}
    fields |= {key: leaf.path for key, leaf in (named | {"author": author, "image": image}).items() if leaf}
    return fields


def _leaves(records: Sequence[dict[str, object]]) -> list[_Leaf]:
    values: dict[tuple[str, str], list[object]] = defaultdict(list)
    for record in records:
        for key, value in islice(record.items(), _MOST_PATHS):
            if isinstance(value, dict):
                for inner, part in islice(value.items(), _MOST_PATHS):
                    name = _bare(key) if _bare(inner) in _WRAPPERS else _bare(inner)
                    values[f"{_key(key)}.{_key(inner)}", name].append(part)
            else:
                values[_key(key), _bare(key)].append(value)
    simple = (str, int, float)
    return [
        _Leaf(path, name, tuple(value for value in found if isinstance(value, simple) and not isinstance(value, bool)))
        for (path, name), found in islice(values.items(), _MOST_PATHS)
    ]


def _bare(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _texts(leaf: _Leaf) -> list[str]:
    return [value for value in leaf.values if isinstance(value, str) and value.strip()]


def _is_text(leaf: _Leaf, shortest: int) -> bool:
    return any(len(text) >= shortest for text in _texts(leaf))


def _is_title(leaf: _Leaf, count: int) -> bool:
    texts = _texts(leaf)
    are_addresses = any(text.startswith(("http://", "https://")) for text in texts)
    return 2 * len(texts) >= count and len(set(texts)) > len(texts) / 2 and not are_addresses


def _is_link(leaf: _Leaf, count: int) -> bool:
    texts = _texts(leaf)
    differ = len(set(texts)) == len(texts) or count == 1
    return bool(texts) and differ and _is_address(leaf) and not any(_PICTURE.search(text) for text in texts)


def _is_address(leaf: _Leaf) -> bool:
    texts = _texts(leaf)
    return bool(texts) and all(text.startswith(("http://", "https://", "//", "/")) for text in texts)


def _is_date(leaf: _Leaf) -> bool:
    texts = [str(value) for value in leaf.values if str(value).strip()]
    dates = [text for text in texts if _NUMBER.fullmatch(text) or (not text.isdigit() and _has_date(text))]
    return len(dates) > len(texts) / 2


def _has_date(text: str) -> bool:
    return len(text) <= 60 and parse_date(text, zone=UTC) is not None


# A page with a list of links.

_MOST_ANCHORS: Final = 3_000
_FEWEST: Final = 4
_SHORTEST_TITLE: Final = 8
_ASIDE: Final = frozenset("nav header footer aside form select button".split())
_HEADINGS: Final = frozenset("h1 h2 h3 h4 h5".split())
_CLASS: Final = re.compile(r"-?[A-Za-z_][\w-]{0,60}")
_WIDE: Final = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]")
_DATE_IN_TEXT: Final = re.compile(
    r"\d.*[-/:年月.日].*\d|\d\s*(?:分钟|小时|天|minutes?|hours?|days?)|[A-Za-z]{3,9} \d{1,2}"
)
_MOST_DATES: Final = 40


def _draft_of_page(document: Document, source: Source) -> Draft | None:
    try:
        page = read_page(document, source)
    except ParseError:
        return None
    groups: dict[tuple[str, ...], list[HtmlElement]] = defaultdict(list)
    for anchor in islice(page.root.iter("a"), _MOST_ANCHORS):
        if _is_headline(anchor) and http_url(anchor.get("href"), page.base):
            groups[_way(anchor)].append(anchor)
    for group in sorted(groups.values(), key=_weight, reverse=True)[:5]:
        if len({anchor.get("href") for anchor in group}) >= _FEWEST and (found := _list_of(page.root, group)):
            items, fields = found
            return Draft(kind="html", title=plain(page.title), items=items, fields=fields)
    return None


def _is_headline(anchor: HtmlElement) -> bool:
    text = _said(anchor)
    if len(text) + len(_WIDE.findall(text)) < _SHORTEST_TITLE or len(text) > 300:
        return False
    return not any(parent.tag in _ASIDE for parent in anchor.iterancestors())


def _said(element: HtmlElement) -> str:
    return " ".join(str(element.text_content()).split())


def _way(anchor: HtmlElement) -> tuple[str, ...]:
    """Return what the elements around a link are, from itself outwards: links of one list have the same."""
    return tuple(f"{one.tag}.{_first_class(one)}" for one in (anchor, *islice(anchor.iterancestors(), 8)))


def _first_class(element: HtmlElement) -> str:
    return next((name for name in _classes(element) if not any(letter.isdigit() for letter in name)), "")


def _classes(element: HtmlElement) -> list[str]:
    return [name for name in (element.get("class") or "").split() if _CLASS.fullmatch(name)]


def _weight(group: list[HtmlElement]) -> float:
    texts = {_said(anchor) for anchor in group}
    mean = sum(min(len(text) + len(_WIDE.findall(text)), 80) for text in texts) / max(len(texts), 1)
    is_heading = any(one.tag in _HEADINGS for one in (*group[0].iter(), *islice(group[0].iterancestors(), 2)))
    return min(len(texts), 40) * mean * (1.5 if is_heading else 1)


def _list_of(root: HtmlElement, group: list[HtmlElement]) -> tuple[str, dict[str, Paths]] | None:
    """Return the selector of the records around links, and of the fields within them."""
    records = _records(group)
    items = _selector_of(root, records)
    if items is None:
        return None
    title = _selector_within(records, group)
    if title is None:
        return None
    fields: dict[str, Paths] = {"title": title, "link": "@href" if title == "." else f"{title}@href"}
    if (published := _dates_in(records)) is not None:
        fields["published"] = published
    if sum(len(_said(part)) >= 40 for record in records for part in islice(record.iter("p"), 1)) * 2 > len(records):
        fields["summary"] = "p"
    return items, fields


def _records(group: list[HtmlElement]) -> list[HtmlElement]:
    """Return for each link the largest element that holds no other link of its group."""
    users: Counter[HtmlElement] = Counter()
    for anchor in group:
        users.update([anchor, *anchor.iterancestors()])
    found = []
    for anchor in group:
        record = anchor
        for parent in anchor.iterancestors():
            if users[parent] > 1:
                break
            record = parent
        found.append(record)
    return found


def _selector_of(root: HtmlElement, records: list[HtmlElement]) -> str | None:
    """Return a selector that finds the records and little else, the shortest of those that are as good."""
    tag = Counter(str(record.tag) for record in records).most_common(1)[0][0]
    wanted = {record for record in records if record.tag == tag}
    if 2 * len(wanted) <= len(records):
        return None
    shared = set.intersection(*(set(_classes(record)) for record in wanted))
    own = [f"{tag}.{name}" for name in sorted(shared)] + [tag]
    around: list[str] = []
    sample = next(iter(wanted)) if len(wanted) == 1 else next(record for record in records if record in wanted)
    for parent in islice(sample.iterancestors(), 4):
        if (name := parent.get("id")) and _CLASS.fullmatch(name):
            around.append(f"#{name}")
        around += [f"{parent.tag}.{name}" for name in _classes(parent)[:2]]
    parent = sample.getparent()
    candidates = [*own, *(f"{outer} {inner}" for outer in around for inner in own)]
    if parent is not None:
        candidates += [f"{outer} > {inner}" for outer in (*around[:3], str(parent.tag)) for inner in own]
    best: tuple[int, int, str] | None = None
    for number, candidate in enumerate(candidates[:40]):
        found = set(elements(root, candidate))
        missed, others = len(wanted - found), len(found - wanted)
        if missed <= len(wanted) // 10 and (best is None or (missed + others, number) < best[:2]):
            best = (missed + others, number, candidate)
    return best[2] if best and best[0] <= len(wanted) else None


def _selector_within(records: list[HtmlElement], group: list[HtmlElement]) -> str | None:
    """Return a selector that finds in each record its link, first of all."""
    pairs = list(zip(records, group, strict=True))
    if all(record is anchor for record, anchor in pairs):
        return "."
    sample = group[0]
    parent = sample.getparent()
    candidates = ["a", *(f"a.{name}" for name in _classes(sample)[:3])]
    if parent is not None and parent is not records[0]:
        candidates += [f"{parent.tag} a", *(f"{parent.tag}.{name} a" for name in _classes(parent)[:3])]
    for candidate in candidates:
        fits = sum(next(iter(elements_in(record, candidate)), None) is anchor for record, anchor in pairs)
        if fits >= 0.9 * len(pairs):
            return candidate
    return None


def elements_in(record: HtmlElement, selector: str) -> list[HtmlElement]:
    """Return what a selector finds inside of an element, itself left out."""
    return [found for found in elements(record, selector) if found is not record]


def _dates_in(records: list[HtmlElement]) -> Paths | None:
    """Return the selector of what looks like a date in most records."""
    if 2 * sum(any(part.get("datetime") for part in record.iter("time")) for record in records) > len(records):
        return "time@datetime"
    found: Counter[str] = Counter()
    for record in records[:_MOST_DATES]:
        seen = set()
        for part in islice(record.iterdescendants(), 60):
            if isinstance(part.tag, str) and not len(part) and _is_date_text(_said(part)):
                name = _first_class(part)
                seen.add(f"{part.tag}.{name}" if name else str(part.tag))
        found.update(seen)
    best: list[tuple[str, int]] = found.most_common(1)
    return best[0][0] if best and 2 * best[0][1] > len(records[:_MOST_DATES]) else None


def _is_date_text(text: str) -> bool:
    return 4 <= len(text) <= 40 and bool(_DATE_IN_TEXT.search(text)) and _parses(text)


def _parses(text: Any) -> bool:
    from datetime import datetime

    return parse_date(str(text).strip("[]()（） "), zone=UTC, now=datetime(2026, 1, 1, tzinfo=UTC)) is not None
