"""A feed as its elements say, whichever of the two readers read it; and how much of it they read."""

import calendar
import hashlib
import marshal
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from feedparser.datetimes.greek import _parse_date_greek
from feedparser.datetimes.hungarian import _parse_date_hungarian
from feedparser.datetimes.korean import _parse_date_nate, _parse_date_onblog

from feedhub.rules.text import label_text

NOT_READ: Final = "the rest was not read"
MOST_RECORDS_READ: Final = 12_000
# feedparser compares each tag with those before it. An item keeps no more than 100.
MOST_TAGS_READ: Final = 200
# lxml looks through all attributes of an element for each of them: 20,000 take a second.
MOST_ATTRIBUTES_PLAIN: Final = 50
# lxml lists all prefixes again for every element; over a whole document, this many take a second.
MOST_PREFIXES_LISTED: Final = 2_000_000
_LONGEST_AUTHOR = 300
_EMAIL = re.compile(r"[^\s@()<>,;:\"]+@[^\s@()<>,;:\"]+\.[^\s@()<>,;:\"]+")
_RELATIONS: Final = frozenset({"alternate", "enclosure", "replies", "self", "via", "related"})
_REGISTRY = re.compile(r"https?://www\.iana\.org/assignments/(?:link-)?relations?/", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFeed:
    """A document by the names that feedparser gives its fields.

    ``fault`` says where the XML is broken, ``is_repaired`` that all was read ``cut_off`` that the document
    ends inside its last entry.
    """

    feed: dict[str, Any]
    entries: list[dict[str, Any]]
    version: str
    fault: str = ""
    is_repaired: bool = False
    cut_off: bool = False


# The fields of feeds and entries that items come from. A change of any other goes unnoticed, so a test compares these
# lists with what is used.
USED_OF_FEEDS = (
    *("title", "title_detail", "itunes_title", "feedburner_origlink", "links", "link", "permalink", "authors"),
    *("language", "ttl", "sy_updateperiod", "sy_updatefrequency"),
)
USED_OF_ENTRIES = (
    *("title", "title_detail", "itunes_title", "summary_detail", "content", "media_description_detail"),
    *(
        "itunes_summary_detail",
        "feedburner_origlink",
        "links",
        "link",
        "permalink",
        "id",
        "authors",
        "source_authors",
        "tags",
    ),
    *("language", "media_thumbnail", "media_content", "image", "comments", "itunes_duration"),
    *("published", "created", "updated", "media_player", "base"),
)


def reading_of(document: RawFeed, url: str) -> str:
    """Return the digest of everything in a document that an item can come from."""
    feed = [dict.get(document.feed, name) for name in USED_OF_FEEDS]
    entries = [[dict.get(entry, name) for name in USED_OF_ENTRIES] for entry in document.entries]
    facts = (url, document.version, document.fault, document.cut_off, feed, entries)
    try:
        written = marshal.dumps(facts, 0)  # this version writes what is equal alike, and in a third of the time
    except ValueError:  # it holds what is feedparser's own
        written = repr(facts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(written).hexdigest()


def link_relation(written: str | None) -> str:
    """Return the name of a relation: an address in IANA's registry says its name, no relation is ``alternate``.

    See RFC 4287 §4.2.7.2.
    """
    name = _REGISTRY.sub("", (written or "").strip()).lower() or "alternate"
    return next((word for word in name.split() if word in _RELATIONS), name) if " " in name else name


def person_in(text: str) -> dict[str, str]:
    """Return name and e-mail of ``ann@example.org (Ann)``, ``Ann <ann@example.org>``, or one of them alone."""
    text = label_text(text).strip()[:_LONGEST_AUTHOR]
    found = _EMAIL.search(text) if "@" in text else None  # the expression takes the square of a text without
    if found is None:
        return {"name": text} if text else {}
    name = f"{text[: found.start()]} {text[found.end() :]}".replace("<>", "").replace("()", "").strip(" <>()")
    return {"name": name, "email": found[0]} if name else {"email": found[0]}


def date_in_words(text: str) -> datetime | None:
    """Return the instant of a date in Greek, Hungarian or Korean; None if it is none.

    feedparser's other readers are not asked: they guess, and take ``2024/01/01`` for the first of November.
    """
    for read in (_parse_date_greek, _parse_date_hungarian, _parse_date_onblog, _parse_date_nate):
        try:
            found = read(text)
            if found:
                return datetime.fromtimestamp(calendar.timegm(found), tz=UTC)
        except (ValueError, TypeError, KeyError, OverflowError):
            continue
    return None
