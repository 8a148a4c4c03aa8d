"""What ``preview`` says: the items a source would give, and what was wrong with the rest."""

from dataclasses import asdict
from typing import Any, Final

from feedhub.cli.screen import Screen
from feedhub.cli.words import count, moment
from feedhub.model.item import Enclosure, Item, ParsedItem, Rejected
from feedhub.model.report import Preview, RecordTrace
from feedhub.rules.text import visible_text

_TEXT_SHOWN: Final = 200


def print_preview(screen: Screen, preview: Preview, timezone: str) -> None:
    """Print one paragraph per item."""
    screen.say(preview.title or "(no title)", style="bold")
    screen.say(preview.url)
    for (parsed, item), keys in zip(preview.items, preview.keys, strict=True):
        screen.say()
        screen.say(item.title or "(no title)", style="bold")
        for name, value in _facts(parsed, item, keys, timezone):
            if value:
                screen.say(f"  {name:<10} {value}")
    _print_traces(screen, preview.traces)
    for rejected in preview.rejected:
        screen.say()
        screen.say(_rejected_words(rejected), style="yellow")
    if preview.notes:
        screen.say()
    for note in preview.notes:
        screen.say(f"note: {note}", style="yellow")
    screen.say()
    screen.say(f"{count(len(preview.items), 'item')} shown, {len(preview.rejected)} rejected; nothing was stored")


def _print_traces(screen: Screen, traces: tuple[RecordTrace, ...]) -> None:
    """Print for every record of a mapped source what each path gave, was empty or failed with."""
    for trace in traces:
        screen.say()
        screen.say(f"record {trace.position + 1}: what each path gave", style="bold")
        for field in trace.fields:
            said = {"gave": field.value, "empty": "(empty)", "failed": f"failed: {field.value}"}[field.state]
            style = "yellow" if field.state == "failed" else ""
            screen.say(f"  {field.field:<10} {field.path}: {said}", style=style)


def _facts(parsed: ParsedItem, item: Item, keys: tuple[str, ...], timezone: str) -> tuple[tuple[str, str], ...]:
    return (
        ("link", item.link or ""),
        ("published", moment(parsed.published_at, timezone) if parsed.published_at else "no date: first sight counts"),
        ("authors", ", ".join(person.name for person in item.authors)),
        ("tags", ", ".join(item.tags)),
        ("image", item.image or ""),
        ("enclosures", ", ".join(_enclosure_words(each) for each in item.enclosures)),
        ("keys", " · ".join(keys) or "none"),
        ("text", _beginning(item)),
    )


def _enclosure_words(enclosure: Enclosure) -> str:
    facts = [enclosure.media_type or "", f"{enclosure.length:,} bytes" if enclosure.length else ""]
    known = ", ".join(fact for fact in facts if fact)
    return f"{enclosure.url} ({known})" if known else enclosure.url


def _beginning(item: Item) -> str:
    text = " ".join(visible_text(item.content or item.summary or "").split())
    return text if len(text) <= _TEXT_SHOWN else text[:_TEXT_SHOWN] + "…"


def _rejected_words(rejected: Rejected) -> str:
    name = rejected.title or rejected.link or rejected.guid or ""
    return f"rejected: record {rejected.position + 1}{f' ({name})' if name else ''}: {rejected.reason}"


def preview_json(preview: Preview) -> dict[str, Any]:
    """Return what ``preview --json`` prints."""
    return {
        "url": preview.url,
        "title": preview.title,
        "items": [
            _item_json(parsed, item, keys) for (parsed, item), keys in zip(preview.items, preview.keys, strict=True)
        ],
        "rejected": [asdict(rejected) for rejected in preview.rejected],
        "notes": list(preview.notes),
        "records": [asdict(trace) for trace in preview.traces],
    }


def _item_json(parsed: ParsedItem, item: Item, keys: tuple[str, ...]) -> dict[str, Any]:
    facts = asdict(item)
    del facts["published_at"]
    return {
        **facts,
        "published": parsed.published_at.isoformat() if parsed.published_at else None,
        "text": _beginning(item),
        "keys": list(keys),
    }
