"""Routing: which categories and tags an item gets, and what is dropped (SPEC §5)."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from feedhub.model.identity import Filing
from feedhub.model.item import Item, Person
from feedhub.model.source import Condition, Replacement, Rule, Source
from feedhub.rules.patterns import compile_pattern
from feedhub.rules.slugs import category_slug
from feedhub.rules.text import plain, visible_text
from feedhub.rules.urls import is_web_url


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
