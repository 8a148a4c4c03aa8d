"""Items as lists of pages show them: title, source, time, and the beginning of the text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from urllib.parse import urlsplit

from feedhub.model.item import StoredItem
from feedhub.model.output import OutputView
from feedhub.publish.addresses import item_path
from feedhub.publish.entry import Entry, entries_of, plain_text
from feedhub.publish.page_words import Words
from feedhub.publish.safe import safe_line

_EXCERPT: Final = 220
_TITLE: Final = 90
_KANA: Final = re.compile("[\u3040-\u30ff]")
_HANGUL: Final = re.compile("[\uac00-\ud7af]")
_HAN: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One item in a list. ``page`` is its path, ``link`` the original; ``lang`` is None for that of the site."""

    title: str
    page: str
    link: str | None
    lang: str | None
    source: str
    excerpt: str
    machine_time: str
    day: str
    date: str
    clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The items of one day."""

    title: str
    cards: tuple[Card, ...]


def cards_of(view: OutputView, words: Words, zone: tzinfo) -> tuple[Card, ...]:
    """Return the items of a view, in its order."""
    pairs = zip(entries_of(view), view.items, strict=True)
    return tuple(_card(entry, stored, view.site.language, words, zone) for entry, stored in pairs)


def days_of(cards: Iterable[Card]) -> tuple[Day, ...]:
    """Return cards by day; they come newest first."""
    days: dict[str, list[Card]] = {}
    for card in cards:
        days.setdefault(card.day, []).append(card)
    return tuple(Day(title=title, cards=tuple(some)) for title, some in days.items())


def title_of(entry: Entry, words: Words) -> str:
    """Return the title of an item, or the beginning of its text."""
    return entry.title or shortened(text_of(entry), _TITLE) or words.texts["untitled"]


def text_of(entry: Entry) -> str:
    """Return what an item says, as text on one line."""
    return plain_text(entry.summary or entry.content or "")


def shortened(text: str, most: int = _EXCERPT) -> str:
    """Return the beginning of a text, cut between words where it has any."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    words = cut.rpartition(" ")[0]
    return (words if len(words) > most // 2 else cut).rstrip(" ,;:，、；：") + "…"


def language_of(entry: Entry, site_language: str) -> str | None:
    """Return the language of an item where it is not that of the site: as it says, else by its script.

    Chinese, Japanese and Korean share characters that each writes in another form; without a language, browsers guess.
    """
    if entry.language:
        return entry.language
    text = entry.title or text_of(entry)[:_TITLE]
    found = "ja" if _KANA.search(text) else "ko" if _HANGUL.search(text) else "zh" if _HAN.search(text) else None
    known = site_language.lower().partition("-")[0]
    if found is None:
        return None if known not in {"zh", "ja", "ko"} or not text.isascii() else "en"
    return None if found == known or (found == "zh" and known == "ja") else found


def host_of(link: str) -> str:
    """Return the host of an address as people know it."""
    return (urlsplit(link).hostname or link).removeprefix("www.")


def source_name(entry: Entry) -> str:
    """Return what a source calls itself, else what we call it."""
    return safe_line(entry.source.title) or entry.source.name


def _card(entry: Entry, stored: StoredItem, site_language: str, words: Words, zone: tzinfo) -> Card:
    title = title_of(entry, words)
    excerpt = shortened(text_of(entry))
    return Card(
        title=title,
        page=item_path(stored, zone),
        link=entry.link,
        lang=language_of(entry, site_language),
        source=source_name(entry),
        excerpt="" if excerpt.rstrip("…").startswith(title.rstrip("…")) and not entry.title else excerpt,
        machine_time=words.machine(entry.published_at),
        day=words.day(entry.published_at),
        date=words.date(entry.published_at),
        clock=words.clock(entry.published_at),
    )
