"""What people are told of by notifications (``notify:``): of which new items, and in which words."""

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from feedhub.model.item import Item, StoredItem
from feedhub.model.output import Category, Site
from feedhub.model.report import HealthEvent, SightedItem, StoredSighting
from feedhub.model.settings import NotifyTarget
from feedhub.model.source import Rule, Source
from feedhub.rules.categorize import file_item, record_categories
from feedhub.rules.digests import by_source
from feedhub.rules.select import ALL, words_of
from feedhub.rules.text import plain

MOST_LINES: Final = 15
_OLD: Final = timedelta(days=2)
"""What was published so long before it came is no news: a source that is new brings all that it has."""
_LONGEST_TITLE: Final = 200
_LONGEST_LINK: Final = 500
# What chat services take for a call of everybody or of somebody, and for a link that says another address.
_CALLING: Final = re.compile(r"@(?=\w)|<(?=[!@#/\w])|\](?=\()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent: plain texts."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a message: a line for each of the ``count`` things that it tells of, or for the last ones of them."""

    heading: str
    lines: Sequence[str]
    count: int


_COLON: Final[Mapping[str, str]] = MappingProxyType({"en": ": ", "zh": "："})
_JOINT: Final[Mapping[str, str]] = MappingProxyType({"en": ", ", "zh": "，"})
_NEW: Final[Mapping[str, str]] = MappingProxyType({"en": "{} new", "zh": "{} 条新内容"})
_HEALTH: Final[Mapping[str, str]] = MappingProxyType({"en": "{} about sources", "zh": "{} 条来源状态"})
_MORE: Final[Mapping[str, str]] = MappingProxyType({"en": "and {} more", "zh": "还有 {} 条"})


class News:
    """The new items that a target is told of: how many, and what is said of the ``last`` ones."""

    def __init__(
        self,
        target: NotifyTarget,
        items: Iterable[SightedItem],
        rules: Sequence[Rule] = (),
        sources: Mapping[str, Source] = MappingProxyType({}),
    ) -> None:
        self.count = 0
        self.last: deque[StoredSighting] = deque(maxlen=MOST_LINES)
        for item in items:
            sighting = _chosen(target, item, rules, sources) if item.is_shown and not item.is_folded else None
            if sighting is not None:
                self.count += 1
                self.last.append(sighting)


def _chosen(
    target: NotifyTarget, item: SightedItem, rules: Sequence[Rule], sources: Mapping[str, Source]
) -> StoredSighting | None:
    for sighting in item.sightings:
        dates = sighting.dates
        if dates.first_seen_at - dates.published_at > _OLD:
            return None
        if sighting.dropped_by is None and (
            ALL in target.categories
            or not sighting.categories.isdisjoint(target.categories)
            or (target.rules and not _applied(sighting, rules, sources).isdisjoint(target.rules))
        ):
            return sighting
    return None


def _applied(sighting: StoredSighting, rules: Sequence[Rule], sources: Mapping[str, Source]) -> frozenset[str]:
    """Return the names of the rules that hold for what a source says."""
    source = sources.get(sighting.source) or Source(name=sighting.source, url="")
    named = [slug for _, slug in record_categories(sighting.item, source)]
    dates = sighting.dates
    filing = file_item(sighting.item, source, rules, named, dates=dates, clean_again=lambda markup, *_: markup)
    return frozenset(filing.applied)


def news_part(site: Site, news: News, titles: Mapping[str, str]) -> Part:
    """Return what is said of new items; ``titles`` are those of sources, by name."""
    lines = [_line(one.shown, titles.get(one.source, one.source)) for one in news.last]
    return Part(heading=_NEW[words_of(site)].format(news.count), lines=lines, count=news.count)


def health_part(site: Site, events: Sequence[HealthEvent], titles: Mapping[str, str]) -> Part:
    """Return what is said of health events; ``titles`` are those of sources, by name."""
    words = words_of(site)
    lines = [harmless(f"{titles.get(event.source, event.source)}{_COLON[words]}{event.text}") for event in events]
    return Part(heading=_HEALTH[words].format(len(lines)), lines=lines, count=len(lines))


def digest_part(site: Site, category: Category, day: str, items: Sequence[StoredItem], count: int) -> Part:
    """Return what is said of a day of a category: of some of its items, by source, of ``count`` in all."""
    lines = [_line(one.item, source) for source, some in by_source(items) for one in some]
    return Part(heading=f"{harmless(category.title)} {day} ({count})", lines=lines[-MOST_LINES:], count=count)


def message(site: Site, parts: Iterable[Part]) -> Message | None:
    """Return the message that tells of all that; None where that is nothing."""
    told = [part for part in parts if part.count]
    if not told:
        return None
    words = words_of(site)
    lines = [line for part in told for line in part.lines][:MOST_LINES]
    left = sum(part.count for part in told) - len(lines)
    more = [_MORE[words].format(left)] if left else []
    title = f"{harmless(site.title)}{_COLON[words]}{_JOINT[words].join(part.heading for part in told)}"
    return Message(title=title, body="\n\n".join([*lines, *more]))


def _line(item: Item, source: str) -> str:
    link = item.link or ""
    text = f"{harmless(item.title or link)} ({harmless(source)})"
    return f"{text}\n{link}" if 0 < len(link) <= _LONGEST_LINK else text


def harmless(text: str) -> str:
    """Return a text of strangers as one line of at most 200 characters that calls nobody and hides no address."""
    line = plain(text)
    line = line if len(line) <= _LONGEST_TITLE else f"{line[: _LONGEST_TITLE - 1]}…"
    return _CALLING.sub("\\g<0>\u200b", line)
