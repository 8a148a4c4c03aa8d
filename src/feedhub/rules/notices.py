"""What people are told of by notifications (``notify:``): of which new items, and in which words."""

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from feedhub.model.output import Site
from feedhub.model.report import HealthEvent, SightedItem, StoredSighting
from feedhub.model.settings import NotifyTarget
from feedhub.model.source import Rule, Source
from feedhub.rules.categorize import file_item, record_categories
from feedhub.rules.select import ALL
from feedhub.rules.text import plain

_MOST_LINES: Final = 15
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
class _Words:
    new: str
    health: str
    more: str
    joint: str
    colon: str


_WORDS: Final[Mapping[str, _Words]] = MappingProxyType(
    {
        "en": _Words(new="{} new", health="{} about sources", more="and {} more", joint=", ", colon=": "),
        "zh": _Words(new="{} 条新内容", health="{} 条来源状态", more="还有 {} 条", joint="，", colon="："),
    }
)


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
        self.last: deque[StoredSighting] = deque(maxlen=_MOST_LINES)
        for item in items:
            sighting = _chosen(target, item, rules, sources) if item.is_shown else None
            if sighting is not None:
                self.count += 1
                self.last.append(sighting)


def _chosen(
    target: NotifyTarget, item: SightedItem, rules: Sequence[Rule], sources: Mapping[str, Source]
) -> StoredSighting | None:
    for sighting in item.sightings:
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


def message(site: Site, news: News, events: Sequence[HealthEvent], titles: Mapping[str, str]) -> Message:
    """Return the message that tells of new items and of health events; ``titles`` are those of sources, by name."""
    words = _WORDS["zh" if site.language.lower().partition("-")[0] == "zh" else "en"]
    parts = [text.format(count) for text, count in ((words.new, news.count), (words.health, len(events))) if count]
    lines = [_item_text(item, titles) for item in news.last]
    lines += [harmless(f"{titles.get(event.source, event.source)}{words.colon}{event.text}") for event in events]
    lines, left = lines[:_MOST_LINES], news.count + len(events) - len(lines[:_MOST_LINES])
    more = [words.more.format(left)] if left else []
    title = f"{harmless(site.title)}{words.colon}{words.joint.join(parts)}"
    return Message(title=title, body="\n\n".join([*lines, *more]))


def _item_text(item: StoredSighting, titles: Mapping[str, str]) -> str:
    link = item.shown.link or ""
    text = harmless(item.shown.title or link)
    text += f" ({harmless(titles.get(item.source, item.source))})"
    return f"{text}\n{link}" if len(link) <= _LONGEST_LINK else text


def harmless(text: str) -> str:
    """Return a text of strangers as one line of at most 200 characters that calls nobody and hides no address."""
    line = plain(text)
    line = line if len(line) <= _LONGEST_TITLE else f"{line[: _LONGEST_TITLE - 1]}…"
    return _CALLING.sub("\\g<0>\u200b", line)
