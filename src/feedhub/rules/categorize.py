"""Users' patterns, run in linear time by RE2 so that none can hang a poll (SPEC §5)."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final, Protocol

import re2

from feedhub.model.identity import Filing
from feedhub.model.item import Item, Person
from feedhub.model.source import Condition, Replacement, Rule, Source
from feedhub.rules.slugs import category_slug
from feedhub.rules.text import plain, visible_text
from feedhub.rules.urls import is_web_url

_NOT_THERE: Final = "lookaround and backreferences do not exist here; for (?!…) put the pattern under `not:` instead"
_LOOKS_UNSUPPORTED: Final = re.compile(r"\(\?(?:[=!]|<[=!]|P=)|\\[1-9]|\\k<")
_IN_REPLACEMENT: Final = re.compile(r"\\(?:(?P<number>[0-9]{1,2})|g<(?P<name>\w+)>|(?P<escaped>.))", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t"}


class Match(Protocol):
    """One match: the part of ``re.Match`` that RE2 has as well."""

    def group(self, group: int | str = 0, /) -> str | None:
        """Return what a group matched; None for one that took no part."""
        ...


class Pattern:
    """A compiled pattern. Case counts unless the pattern says ``(?i)``."""

    __slots__ = ("_compiled", "groups", "text")

    def __init__(self, text: str, compiled: Any) -> None:
        self.text = text
        self.groups: int = compiled.groups
        self._compiled = compiled

    def search(self, text: str) -> Match | None:
        """Return the first match anywhere in ``text``."""
        match: Match | None = self._compiled.search(text)
        return match

    def value(self, text: str) -> str | None:
        """Return what the first group matched in ``text``, or the whole match where the pattern has no group."""
        match = self.search(text)
        return match.group(1 if self.groups else 0) if match else None

    def sub(self, replacement: str, text: str) -> str:
        r"""Return ``text`` with every match replaced; ``\1`` and ``\g<name>`` stand for groups, ``\\`` for a backslash.

        The groups are filled in here: RE2's own reader of replacements damages every character outside ASCII.
        """

        def filled(match: Match) -> str:
            return _IN_REPLACEMENT.sub(lambda part: _part(part, match), replacement)

        result: str = self._compiled.sub(filled, text)
        return result

    def check_replacement(self, replacement: str) -> None:
        """Accept a replacement whose groups all exist in the pattern.

        Raises:
            ValueError: names the group that does not exist.
        """
        for part in _IN_REPLACEMENT.finditer(replacement):
            group = _group(part)
            known = group <= self.groups if isinstance(group, int) else group in self._compiled.groupindex
            if not known:
                raise ValueError(f"{part.group(0)} stands for a group that the pattern does not have")


@lru_cache(maxsize=4096)
def compile_pattern(text: str) -> Pattern:
    """Return the compiled pattern.

    Raises:
        ValueError: one readable line saying what is wrong with the pattern.
    """
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.UTF8
    try:
        return Pattern(text, re2.compile(text, options))
    except re2.error as error:
        raise ValueError(_explained(text, error.args[0])) from error
    except UnicodeEncodeError as error:
        raise ValueError("not a usable pattern: it holds half of a character (a lone surrogate)") from error


def _group(part: re.Match[str]) -> int | str:
    name = part["number"] or part["name"] or "0"
    return int(name) if name.isdigit() else name


def _part(part: re.Match[str], match: Match) -> str:
    escaped = part["escaped"]
    if escaped is not None:
        return _ESCAPES.get(escaped, escaped)
    return match.group(_group(part)) or ""


def _explained(text: str, reason: bytes) -> str:
    hint = f" ({_NOT_THERE})" if _LOOKS_UNSUPPORTED.search(text) else ""
    return f"not a usable pattern: {reason.decode('utf-8', 'replace')}{hint}"


def file_item(item: Item, source: Source, rules: Sequence[Rule], brought: Sequence[str] = ()) -> tuple[Item, Filing]:
    """Run the rules in order over an item of ``source``; return it as they leave it, and where it belongs.

    Each category is paired with what put it there: ``source``, ``record`` for those in ``brought``, or a rule's name.
    """
    categories = dict.fromkeys(source.categories, "source")
    categories.update(dict.fromkeys(brought, "record"))
    for rule in rules:
        if not holds(rule.when, item, source, tuple(categories)):
            continue
        if rule.drop:
            return item, Filing(dropped_by=rule.name)
        for replacement in rule.replace:
            item = _replaced(item, replacement)
        item = replace(item, tags=tuple(dict.fromkeys(item.tags + rule.tags)))
        for category in rule.categories:
            categories.setdefault(category, rule.name)
        if rule.stop:
            break
    return item, Filing(categories=tuple(categories.items()), tags=item.tags)


def brought_categories(item: Item, source: Source) -> tuple[tuple[str, str], ...]:
    """Return (title, wished-for slug) of the categories that the record itself names (``category: {from: author}``)."""
    asked = source.category_map
    if asked is None:
        return ()
    values = {
        "author": [person.name for person in item.authors[:1]],
        "tags": list(item.tags),
        "language": [item.language or ""],
        "title": [item.title],
    }.get(asked.field, [])
    titles = (plain(asked.title.replace(f"{{{asked.field}}}", value)) for value in values if value)
    return tuple((title, category_slug(title, readings=asked.slug) or _unreadable(title)) for title in titles if title)


def _unreadable(title: str) -> str:
    """Return a slug for a title in a script without readings: stable, and told apart from others."""
    return "c-" + hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()[:8]


def holds(condition: Condition, item: Item, source: Source, categories: Sequence[str]) -> bool:
    """Tell whether a condition tree holds for an item."""
    if condition.kind == "all":
        return all(holds(part, item, source, categories) for part in condition.parts)
    if condition.kind == "any":
        return any(holds(part, item, source, categories) for part in condition.parts)
    if condition.kind == "not":
        return not any(holds(part, item, source, categories) for part in condition.parts)
    if condition.kind == "source":
        return any(fnmatchcase(source.name, glob) for glob in condition.values)
    if condition.kind == "category":
        return any(value in categories for value in condition.values)
    if condition.kind == "tags":
        tags = {tag.casefold() for tag in item.tags}
        return any(value.casefold() in tags for value in condition.values)
    patterns = [compile_pattern(value) for value in condition.values]
    return any(pattern.search(text) for text in _texts(item, condition.kind) for pattern in patterns)


def _texts(item: Item, field: str) -> Iterator[str]:
    """Yield what a pattern on ``field`` sees: plain text, never markup."""
    if field == "title":
        yield item.title
    elif field == "link":
        yield item.link or ""
    elif field == "author":
        yield from (person.name for person in item.authors)
    elif field == "summary":
        yield visible_text(item.summary or "")
    else:
        yield visible_text(item.content or item.summary or "")


def _replaced(item: Item, replacement: Replacement) -> Item:
    pattern = compile_pattern(replacement.pattern)
    new = replacement.replacement
    match replacement.field:
        case "title":
            return replace(item, title=plain(pattern.sub(new, item.title)))
        case "summary":
            return replace(item, summary=item.summary and pattern.sub(new, item.summary))
        case "content":
            return replace(item, content=item.content and pattern.sub(new, item.content))
        case "author":
            authors = (replace(person, name=plain(pattern.sub(new, person.name))) for person in item.authors)
            return replace(item, authors=tuple[Person, ...](person for person in authors if person.name))
        case _:
            link = pattern.sub(new, item.link or "")
            return replace(item, link=link) if is_web_url(link) else item
