"""What ``feedhub explain`` prints: all that is known of an item, and why two items are two."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from feedhub.cli.screen import Screen, local_time
from feedhub.model.report import Explanation, LedgerEntry, SightingReport
from feedhub.model.settings import Settings
from feedhub.model.story import ToldStory
from feedhub.rules.explain import Join, Obstacle, PairAnswer, chosen_pair, guid_of_publisher, under_guids

if TYPE_CHECKING:
    from feedhub.runtime.hub import Hub

_BY_SOURCE: Final = "source"
_LEADS: Final = ("signature", "words", "files", "title")
"""Keys of these names recognise no item by themselves (SPEC §4)."""
_ID_LENGTH: Final = len("urn:uuid:") + 8


def show_item(screen: Screen, hub: "Hub", ref: str, *, as_json: bool) -> str:
    """Print all that is known of a reference; return what to complain of."""
    found = hub.explain(ref)
    if as_json:
        screen.json([_with_story(explanation_json(one, hub.settings.site.timezone), hub) for one in found])
    elif len(found) > 1 and all(one.by_title for one in found):
        _print_choices(screen, found, hub.settings)
    else:
        _print_explanations(screen, found, hub)
        ids = [short_id(one) for one in found if one.item_id]
        if len(ids) > 1:
            screen.print_err(f"why are they not one? feedhub explain {ids[0]} {ids[1]}")
    return "" if found else _UNKNOWN.format(ref)


def show_pair(screen: Screen, hub: "Hub", refs: tuple[str, str], *, as_json: bool) -> str:
    """Print why two references are one item or two; return what to complain of."""
    found = hub.explain(refs[0]), hub.explain(refs[1])
    pair = chosen_pair(*found)
    if pair and pair[0].ref == pair[1].ref:
        pair = under_guids(pair[0], refs[0]), under_guids(pair[1], refs[1])
    answer = hub.explain_pair(*pair) if pair else None
    if as_json:
        screen.json(_pair_json(answer, found, hub.settings.site.timezone))
    elif answer:
        _print_pair(screen, answer, refs, hub.settings.site.timezone)
    if answer:
        return ""
    for ref, meant in zip(refs, found, strict=True):
        if not meant:
            return _UNKNOWN.format(ref)
    ref, meant = max(zip(refs, found, strict=True), key=lambda pair: len(pair[1]))
    if not as_json:
        _print_choices(screen, meant, hub.settings)
    return f"{ref} may mean any of {len(meant)}; give the id or the link of one"


_MOST_CHOICES: Final = 10
_UNKNOWN: Final = (
    "nothing is known of {}; give a link exactly as a source has it, an infoCode, an item id, or words of a title "
    "(feedhub search finds items by all their words)"
)


def _with_story(document: dict[str, object], hub: "Hub") -> dict[str, object]:
    """Return an explanation with what is known of the story, where stories are told."""
    if hub.settings.stories is None or document["item_id"] is None:
        return document
    from feedhub.cli.stories import told_json

    return {**document, "story": told_json(hub.store.story_of(str(document["item_id"])))}


def _print_explanations(screen: Screen, explanations: Sequence[Explanation], hub: "Hub") -> None:
    is_told = hub.settings.stories is not None
    for index, explanation in enumerate(explanations):
        if index:
            screen.print()
        told = hub.store.story_of(explanation.item_id) if is_told and explanation.item_id else None
        for line in explanation_lines(explanation, hub.settings, told):
            screen.print(line, style="" if line.startswith(" ") else "bold")


def _print_choices(screen: Screen, explanations: Sequence[Explanation], settings: Settings) -> None:
    """Print two lines for each of several that a reference may mean, up to a number of them."""
    for one in explanations[:_MOST_CHOICES]:
        screen.print(f"{short_id(one):<9} {one.title or '(no title)'}")
        screen.print(f"{'':<9} {_origin(one, settings.site.timezone)}", style="dim")
    if len(explanations) > _MOST_CHOICES:
        screen.print(f"{'':<9} and {len(explanations) - _MOST_CHOICES} more", style="dim")


def short_id(explanation: Explanation) -> str:
    """Return the first digits of an item's id; ``–`` where there is no item."""
    return explanation.item_id[_ID_LENGTH - 8 : _ID_LENGTH] if explanation.item_id else "–"


def _origin(one: Explanation, zone: str) -> str:
    """Return in a line whose an item is and from when, or why a record became none."""
    if one.item_id is None:
        last = one.ledger[-1]
        where = f" · {last.link}" if last.link else ""
        return f"{local_time(last.at, zone)}  {last.source}: {last.kind}, {last.reason}{where}"
    link = next((seen.link for seen in one.sightings if seen.link), "(no link)")
    at = f"{local_time(one.published_at, zone)}  " if one.published_at else ""
    return f"{at}{one.owner}  {link}{_absence(one)}"


def _absence(one: Explanation) -> str:
    """Return in some words why nothing shows an item that is stored."""
    if one.hidden_at:
        return "  (hidden)"
    rules = dict.fromkeys(seen.dropped_by for seen in one.sightings if seen.dropped_by)
    return f"  (dropped by rule “{'”, “'.join(rules)}”)" if rules and not one.shown_by else ""


def explanation_lines(explanation: Explanation, settings: Settings, told: ToldStory | None = None) -> list[str]:
    """Return what is known of an item, and told of its story, as lines: a heading, then indented facts."""
    zone = settings.site.timezone
    lines = [explanation.title or "(no title)"]
    lines += _item_lines(explanation, zone)
    lines += _part("seen in", [line for sighting in explanation.sightings for line in _sighting_words(sighting, zone)])
    lines += _part("recognised by", _recognising_keys(explanation))
    lines += _part("shared", [f"{key}: several items have it, it names none of them" for key in explanation.shared])
    lines += _part("filed under", _membership_words(explanation, settings))
    lines += _part("shown in", [str(Path(settings.output.dir) / output) for output in explanation.outputs])
    if explanation.item_id and not explanation.removed_at and not explanation.outputs:
        lines += _part("shown in", [_why_not_shown(explanation, told)])
    if told is not None:
        from feedhub.cli.stories import told_lines

        for name, facts in told_lines(told, explanation.item_id or "", zone).items():
            lines += _part(name, facts)
    lines += _part("ledger", [ledger_words(entry, zone) for entry in explanation.ledger])
    return lines


def _item_lines(explanation: Explanation, zone: str) -> list[str]:
    if explanation.item_id is None:
        links = dict.fromkeys(entry.link for entry in explanation.ledger if entry.link)
        return ["  was seen, but never became an item", *_part("link", list(links))]
    lines = [f"  id            {explanation.item_id}"]
    if explanation.owner and explanation.owner == explanation.shown_by:
        lines.append(f"  owned by      {explanation.owner}, whose wording the combined feed shows")
    elif explanation.owner:
        shown = f"; the combined feed shows the wording of {explanation.shown_by}" if explanation.shown_by else ""
        lines.append(f"  owned by      {explanation.owner}{shown}")
    lines += _instants(
        zone,
        ("published", explanation.published_at),
        ("updated", explanation.updated_at),
        ("hidden", explanation.hidden_at),
        ("removed", explanation.removed_at),
    )
    if explanation.hidden_reason:
        lines += _part("reason", [explanation.hidden_reason])
    return lines


def _why_not_shown(explanation: Explanation, told: ToldStory | None) -> str:
    if explanation.hidden_at:
        return "no output: it is hidden"
    if told and told.waits:
        return "no output yet: its story is not known"
    if told and told.folded:
        return "no output: they show another report"
    if explanation.shown_by is None:
        return "no output: rules drop it"
    return "no output now: newer items fill them"


def _instants(zone: str, *named: tuple[str, datetime | None]) -> list[str]:
    return [f"  {name:<13} {local_time(at, zone)}" for name, at in named if at]


def _part(name: str, facts: Sequence[str]) -> list[str]:
    return [f"  {name if index == 0 else '':<13} {fact}" for index, fact in enumerate(facts)]


def _recognising_keys(explanation: Explanation) -> list[str]:
    scopes = {sighting.source for sighting in explanation.sightings} | {explanation.owner}
    return [key for key in explanation.keys if not _is_lead(key, scopes)]


def _is_lead(key: str, scopes: set[str | None]) -> bool:
    name, scope, *_ = f"{key}:".split(":")
    return name == _LEADS[0] or (name in _LEADS and (scope in scopes or scope.startswith("@")))


def _sighting_words(sighting: SightingReport, zone: str) -> Iterator[str]:
    left = f"no longer offered since {local_time(sighting.left_at, zone)}" if sighting.left_at else "still offered"
    yield f"{sighting.source}, first at {local_time(sighting.first_seen_at, zone)}, {left}"
    yield f"  “{sighting.title}”"
    yield f"  {sighting.link or '(no link)'}"
    address = (sighting.said.url_key or "").removeprefix("url:")
    yield f"  guid {guid_of_publisher(sighting.said) or 'none'}; address {address or 'none that names an item'}"
    yield f"  {_date_words(sighting, zone)}{_attachment_words(sighting)}"
    if sighting.dropped_by:
        yield f"  dropped by rule “{sighting.dropped_by}”"


def _date_words(sighting: SightingReport, zone: str) -> str:
    precision, at = _given_date(sighting, zone)
    if at is None:
        return "no date"
    local = at.astimezone(ZoneInfo(zone))
    return {
        "second": f"dated {local:%Y-%m-%d %H:%M:%S}, to the second",
        "day": f"dated {at if at.time() == time(0) else local:%Y-%m-%d}, a day only",
        "rough": f"dated about {local:%Y-%m-%d %H:%M}, not to the second",
        "unknown": f"dated {local:%Y-%m-%d %H:%M}, how exactly is not known",
    }[precision]


def _attachment_words(sighting: SightingReport) -> str:
    evidence = sighting.said.evidence
    if evidence is None:
        return ""
    found = [name for name, digest in (("files", evidence.files), ("pictures", evidence.pictures)) if digest]
    return f"; with {' and '.join(found)}" if found else ""


def _given_date(sighting: SightingReport, zone: str) -> tuple[str, datetime | None]:
    """Return how exact the date is that a source gave (second, day, rough, unknown), and the date."""
    evidence = sighting.said.evidence
    if evidence is None:
        return "unknown", sighting.date
    if evidence.published_at:
        return "second", evidence.published_at
    if sighting.date is None:
        return "unknown", None
    is_day = time(0) in (sighting.date.time(), sighting.date.astimezone(ZoneInfo(zone)).time())
    return "day" if is_day else "rough", sighting.date


def _membership_words(explanation: Explanation, settings: Settings) -> list[str]:
    titles = {category.slug: category.title for category in settings.categories}
    words = []
    for slug, rule, source in explanation.memberships:
        title = titles.get(slug, slug)
        name = slug if title == slug else f"{slug} ({title})"
        why = f"as source {source} is configured" if rule == _BY_SOURCE else f"by rule “{rule}”, from source {source}"
        words.append(f"{name} {why}")
    return words


def ledger_words(entry: LedgerEntry, zone: str) -> str:
    """Return one ledger row as a line."""
    about = f": “{entry.title}”" if entry.title else ""
    key = f" [{entry.key}]" if entry.key else ""
    return f"{local_time(entry.at, zone)} {entry.source}: {entry.kind}, {entry.reason}{key}{about}"


# --- why two are two ---------------------------------------------------------------------------------------------


def _print_pair(screen: Screen, answer: PairAnswer, refs: tuple[str, str], zone: str) -> None:
    screen.print(_heading(answer), style="bold")
    for line in _pair_lines(answer, refs, zone):
        screen.print(line)


def _heading(answer: PairAnswer) -> str:
    if answer.obstacle is Obstacle.NO_ITEM:
        return "one item, and a record that became none" if answer.one.item_id or answer.other.item_id else "no item"
    return "one item" if answer.is_one else "two items"


def _pair_lines(answer: PairAnswer, refs: tuple[str, str], zone: str) -> Iterator[str]:
    if answer.is_one:
        yield from _part("item", [f"{short_id(answer.one)} “{answer.one.title}”", _origin(answer.one, zone)])
        yield from _part("named", [f"{ref} {_naming(one)}" for ref, one in _distinct_names(answer, refs)])
        yield from _part("joined", [_join_words(join, zone) for join in answer.joins] or ["nothing had to be joined"])
    else:
        for name, one in (("first", answer.one), ("second", answer.other)):
            yield from _part(name, [f"{short_id(one)} “{one.title or '(no title)'}”", _origin(one, zone)])
    if answer.comparison:
        yield from _part("compared", [" and ".join(dict.fromkeys(answer.sources)), answer.words()])
    yield from _part("because", list(_because(answer)))
    yield from _part("ledger", [ledger_words(entry, zone) for entry in _disputes(answer)])
    if answer.obstacle is not Obstacle.NO_ITEM and not answer.is_one:
        yield from _part("would join", list(_setting_words(answer)))


def _disputes(answer: PairAnswer) -> list[LedgerEntry]:
    """Return what the ledger says of a key that both could have: newest entries, oldest first."""
    found: dict[LedgerEntry, None] = {}
    for one, other in ((answer.one, answer.other), (answer.other, answer.one)):
        theirs = {seen.link for seen in other.sightings if seen.link}
        found.update((entry, None) for entry in one.ledger if entry.kind in _DISPUTES and entry.link in theirs)
    return [] if answer.is_one else sorted(found, key=lambda entry: entry.at)[-_MOST_DISPUTES:]


_DISPUTES: Final = frozenset({"conflict", "kept", "reused"})
_MOST_DISPUTES: Final = 5


def _distinct_names(answer: PairAnswer, refs: tuple[str, str]) -> list[tuple[str, Explanation]]:
    return list({refs[0]: (refs[0], answer.one), refs[1]: (refs[1], answer.other)}.values())


def _naming(one: Explanation) -> str:
    """Return how a reference names its item."""
    if one.by_title:
        return "has words of its title"
    if one.ref.lower().removeprefix("urn:uuid:")[:8] == short_id(one):
        return "is its id"
    shown = next((report for report in one.key_reports if report.text == one.ref), None)
    return f"is its {one.ref}" if shown else "is where it was seen"


def _join_words(join: Join, zone: str) -> str:
    key = f" [{join.key}]" if join.key else ""
    return f"{local_time(join.at, zone)} {join.source}: {join.reason}{key}"


def _because(answer: PairAnswer) -> Iterator[str]:
    if answer.obstacle is Obstacle.NO_ITEM:
        for one in (answer.one, answer.other):
            if one.item_id is None:
                yield f"“{one.title}” never became an item: {one.ledger[-1].kind}, {one.ledger[-1].reason}"
    elif answer.obstacle is Obstacle.NAMED:
        yield from (f"{name} differs: {', '.join(mine)} and {', '.join(theirs)}" for name, mine, theirs in answer.named)
        yield "two values of one named key are always two items"
    elif answer.obstacle is Obstacle.STORED:
        yield f"{_STORED} (by {answer.reason})" if answer.reason else _STORED
    elif answer.obstacle is Obstacle.SHARED:
        yield f"several items have {' and '.join(answer.shared)}, so it names none of them"
    elif answer.obstacle and not answer.has_likeness:
        yield "nothing that they say is alike"
    elif answer.obstacle is Obstacle.ACROSS:
        yield "between sources only a named key or the address makes one item of two records; theirs are not alike"
    elif answer.obstacle is Obstacle.EVIDENCE:
        yield "within one source this is not enough to take one record for the other"


_STORED: Final = "as the configuration is now they would be one; but both were stored before, and stored items stay"


def _setting_words(answer: PairAnswer) -> Iterator[str]:
    if answer.obstacle is Obstacle.NAMED:
        yield "no setting"
    elif any(setting.is_set for setting in answer.settings):
        yield from (f"{setting.key}: {setting.value}, which is set" for setting in answer.settings if setting.is_set)
        yield _TO_COME
    elif answer.settings:
        for setting in answer.settings:
            yield f"{setting.key}: {setting.value}"
            yield f"  {_CAUTIONS[setting.key]}"
        yield _TO_COME
    elif answer.obstacle is Obstacle.ACROSS and answer.has_likeness:
        yield "no setting; a key under identity: would, if both records hold one code"
    elif answer.obstacle is not Obstacle.STORED:
        yield "no setting that is safe to suggest"


_TO_COME: Final = "records that come from now on; these two stay two"
_CAUTIONS: Final = {
    "dedupe.ignore_parameters": "if these parameters never tell two pages apart",
    "dedupe.same_title": "makes one item of all records of one title within that time",
    "rules": "if both hosts always show the same page",
}


# --- documents for programs --------------------------------------------------------------------------------------


def explanation_json(explanation: Explanation, zone: str) -> dict[str, object]:
    """Return one explanation as ``explain --json`` prints it."""
    found = asdict(explanation)
    found["memberships"] = [
        {"category": slug, "rule": rule, "source": source} for slug, rule, source in explanation.memberships
    ]
    found["sightings"] = [_sighting_json(sighting, zone) for sighting in explanation.sightings]
    found["known_since"] = {report.text: report.since for report in explanation.key_reports}
    del found["key_reports"]
    return _with_text_instants(found)


def _sighting_json(sighting: SightingReport, zone: str) -> dict[str, object]:
    """Return a sighting without digests; whether it has files is None where an older feedhub stored it."""
    found = asdict(sighting)
    del found["said"], found["text_digest"]
    said = sighting.said
    precision, at = _given_date(sighting, zone)
    return {
        **found,
        "guid": guid_of_publisher(said),
        "address": said.url_key and said.url_key.removeprefix("url:"),
        "date": at,
        "date_precision": precision,
        "files": said.evidence and bool(said.evidence.files),
        "pictures": said.evidence and bool(said.evidence.pictures),
    }


def _pair_json(answer: PairAnswer | None, found: Sequence[Sequence[Explanation]], zone: str) -> dict[str, object]:
    """Return what ``explain REF OTHER --json`` prints; ``answer`` is null where it is not clear which two are meant."""
    first, second = ([explanation_json(one, zone) for one in each] for each in found)
    return {"first": first, "second": second, "answer": answer and _answer_json(answer)}


def _answer_json(answer: PairAnswer) -> dict[str, object]:
    address = answer.address
    return _with_text_instants(
        {
            "ids": [answer.one.item_id, answer.other.item_id],
            "one_item": answer.is_one,
            "kept_apart_by": answer.obstacle and answer.obstacle.value,
            "because": list(_because(answer)),
            "sources": answer.sources,
            "words": answer.words(),
            "parts": {name: likeness.value for name, likeness in answer.comparison.parts()}
            if answer.comparison
            else {},
            "address": {"parts": address.parts, "parameters": address.parameters} if address else None,
            "seconds_apart": answer.seconds_apart,
            "named": [{"name": name, "first": one, "second": other} for name, one, other in answer.named],
            "settings": [asdict(setting) for setting in answer.settings],
            "joins": [asdict(join) for join in answer.joins],
        }
    )


def _with_text_instants(values: dict[str, object]) -> dict[str, object]:
    return {name: _textual(value) for name, value in values.items()}


def _textual(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return _with_text_instants(value)
    return [_textual(part) for part in value] if isinstance(value, list | tuple) else value
