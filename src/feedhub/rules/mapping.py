"""Fields of mapped records: what paths and templates give, in the form that each field needs (SPEC §3.1, §3.2)."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from urllib.parse import quote, unquote

from feedhub.model.report import FieldTrace
from feedhub.model.source import NAMED_FORMATS, FieldMap
from feedhub.rules.dates import is_believable, parse_date
from feedhub.rules.json_paths import compile_path, in_words
from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.patterns import Pattern, compile_pattern
from feedhub.rules.text import clean_text
from feedhub.rules.urls import is_web_url

LIST_FIELDS: Final = frozenset({"author", "tags", "enclosures"})
"""Fields that hold several values; all others hold one text."""
ADDRESS_FIELDS: Final = frozenset({"link", "image", "comments", "enclosures"})
"""Fields whose texts are addresses."""

FieldValue = str | tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldResult:
    """The value of one field of one record; ``path`` gave it. Without a value, ``reason`` says why there is none."""

    name: str
    value: FieldValue | None = None
    path: str | None = None
    reason: str = ""


def apply_field(name: str, field: FieldMap, record: object, values: Mapping[str, str]) -> FieldResult:
    """Return the value of one field of ``record``. ``values`` are the fields that templates may use."""
    faults: list[tuple[str, str]] = []
    for path, value, fault in _candidates(name, field, record, values):
        if value is not None:
            return FieldResult(name=name, value=value, path=path)
        faults.append((path, fault))
    reasons = [f"{path}: {fault}" for path, fault in faults if fault]
    empty = [path for path, fault in faults if not fault]
    if empty:
        reasons.append(f"nothing at {', '.join(empty)}")
    return FieldResult(name=name, reason=f"fields.{name}: {'; '.join(reasons) or 'no path is given'}")


def apply_fields(fields: Sequence[tuple[str, FieldMap]], record: object) -> dict[str, FieldResult]:
    """Return the value of every mapped field. Templates come last, so that they can use the values of the others."""
    results: dict[str, FieldResult] = {}
    for name, field in sorted(fields, key=lambda pair: pair[1].template is not None):
        values = template_values(results) if field.template is not None else {}
        results[name] = apply_field(name, field, record, values)
    return results


def template_values(results: Mapping[str, FieldResult]) -> dict[str, str]:
    """Return the fields that have a value, each as the text that a template puts in."""
    return {name: _written(result.value).strip() for name, result in results.items() if result.value is not None}


def traced_field(name: str, field: FieldMap, record: object, values: Mapping[str, str]) -> tuple[FieldTrace, ...]:
    """Return what every path of a field gives, also after the first that has a value."""
    return tuple(
        FieldTrace(
            field=name,
            path=path,
            state="failed" if fault else "empty" if value is None else "gave",
            value=fault or ("" if value is None else shown(_written(value))),
        )
        for path, value, fault in _candidates(name, field, record, values)
    )


def _written(value: FieldValue) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(part if isinstance(part, str) else in_words(part) for part in value)


def _candidates(
    name: str, field: FieldMap, record: object, values: Mapping[str, str]
) -> Iterator[tuple[str, FieldValue | None, str]]:
    """Yield (path, value, fault) of each path in turn and of the template; neither value nor fault means empty."""
    for path in field.paths:
        yield path, *_attempt(name, field, record, path)
    if field.template is not None:
        yield field.template, *_attempt_template(name, field, record, values, field.template)


def _attempt(name: str, field: FieldMap, record: object, path: str) -> tuple[FieldValue | None, str]:
    try:
        value = compile_path(path).value(record)
        return (shaped(name, field, value) if is_present(value) else None), ""
    except ValueError as exc:
        return None, str(exc)


def _attempt_template(
    name: str, field: FieldMap, record: object, values: Mapping[str, str], template: str
) -> tuple[FieldValue | None, str]:
    try:
        text = filled(template, values, record, as_url=name in ADDRESS_FIELDS)
        return (shaped(name, field, text) if text else None), ""
    except ValueError as exc:
        return None, str(exc)


_COMMAS: Final = lazy_pattern(r"[,，、;；]")


def is_present(value: object) -> bool:
    """Tell whether a value says anything: not null, blank text, an empty list or object. 0 and false do."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value != [] and value != {}


def text_of(value: object) -> str | None:
    """Return a JSON value as text: numbers as people write them, lists joined; None for objects and null."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        parts = [text_of(part) for part in value if not isinstance(part, list)]
        return ", ".join(part for part in parts if part) or None
    return None


def shaped(name: str, field: FieldMap, value: object) -> FieldValue | None:
    """Return ``value`` as the field ``name`` wants it, after ``match``, ``strip`` and ``limit``; None for nothing.

    Tags and authors are a tuple of texts: from a list, from objects with a ``name``, tags also from a text with
    commas. Enclosures keep objects as they are. Of several addresses, the first is the link.

    Raises:
        ValueError: the value is of another form, or ``match`` does not match it.
    """
    if name in LIST_FIELDS:
        return _several(name, field, value)
    if name in ADDRESS_FIELDS and isinstance(value, list):
        value = next(filter(is_present, value), None)
    text = text_of(value)
    if text is None:
        raise ValueError(f"not text but {in_words(value)}")
    return trimmed(text, field) or None


def trimmed(text: str, field: FieldMap) -> str:
    """Return ``text`` after ``match`` (its first group that took part), ``strip`` and ``limit`` of a field.

    Raises:
        ValueError: ``match`` does not match.
    """
    if field.match is not None:
        found = _first_group(compile_pattern(field.match), text)
        if found is None:
            raise ValueError(f"{shown(text)} does not match {field.match!r}")
        text = found
    if field.strip is not None:
        text = compile_pattern(field.strip).sub("", text)
    if field.limit is not None:
        text = text.strip()[: field.limit]
    return text if text.strip() else ""


def shown(value: object, longest: int = 80) -> str:
    """Return a value as it is quoted in a message, shortened."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(clean_text(text[: longest * 4]).split())
    return f'"{text}"' if len(text) <= longest else f'"{text[:longest]}…"'


def _several(name: str, field: FieldMap, value: object) -> tuple[object, ...] | None:
    parts: Sequence[object] = value if isinstance(value, list) else [value]
    if name == "tags" and isinstance(value, str):
        parts = _COMMAS.split(value)
    found: list[object] = []
    nameless: object = None
    for part in parts:
        if isinstance(part, dict) and name == "enclosures":
            found.append(part)
            continue
        label = text_of(part.get("name") if isinstance(part, dict) else part)
        if label is None and is_present(part):
            nameless = part
        kept = trimmed(label, field) if label and label.strip() else ""
        if kept:
            found.append(kept)
    if not found and nameless is not None:
        raise ValueError(f"no text and no `name` in {in_words(nameless)}")
    return tuple(found) or None


def _first_group(pattern: Pattern, text: str) -> str | None:
    match = pattern.search(text)
    if match is None:
        return None
    groups = (match.group(number) for number in range(1, pattern.groups + 1))
    return next((group for group in groups if group is not None), None) if pattern.groups else match.group(0)


_PLACEHOLDER: Final = lazy_pattern(r"\{([^{}]*)\}")
# RFC 3986: what may stand in a path segment, and the slash; in a query, & = + # would change its meaning.
_SAFE_IN_PATH: Final = "/:@!$&'()*+,;=~%"
_SAFE_IN_QUERY: Final = "/:@!$'()*,~%"
_DOT_SEGMENT: Final = lazy_pattern(r"(?:^|(?<=[/\\]))\.\.?(?=[/\\]|$)")
_AUTHORITY: Final = lazy_pattern(r"[a-z]+://[^/]+", re.IGNORECASE)
_STRAY_PERCENT: Final = lazy_pattern(r"%(?![0-9A-Fa-f]{2})")
_SAFE_IN_ADDRESS: Final = "/:@!$&'()*+,;=~?#[]%"


def filled_request(template: str, values: Mapping[str, str]) -> str | None:
    """Return the address of a request with every ``{name}`` filled in; None if one has no value, or leads elsewhere.

    A value is one segment of the path: its ``/`` is escaped, and no ``..`` of a record may reach another path of the
    host, which gets the source's headers. A web address that begins the template is the whole address.
    """
    pieces: list[str] = []
    at = 0
    for match in _PLACEHOLDER.finditer(template):
        text = values.get(match[1].strip(), "").strip()
        if not text:
            return None
        pieces.append(template[at : match.start()])
        before = "".join(pieces)
        is_whole = not before and is_web_url(text)
        is_in_path = not is_whole and "?" not in before and "#" not in before
        if is_in_path and _DOT_SEGMENT.search(unquote(text)):
            return None
        is_whole_path = _AUTHORITY.fullmatch(before) is not None and text.startswith("/")
        is_segment = is_in_path and not is_whole_path
        pieces.append(_encoded(text, before or "./").replace("/", "%2F") if is_segment else _encoded(text, before))
        at = match.end()
    address = "".join(pieces) + template[at:]
    return address if _dot_segments(address) == _dot_segments(template) else None


def _dot_segments(address: str) -> int:
    return len(_DOT_SEGMENT.findall(unquote(address.partition("?")[0].partition("#")[0])))


def filled(template: str, values: Mapping[str, str], record: object, *, as_url: bool = False) -> str | None:
    """Return ``template`` with every ``{name}`` filled in; None if one has no value.

    A name is a mapped field (``values``), else a JMESPath over ``record``; ``{@}`` is a record that is a bare value.
    ``as_url`` percent-encodes what cannot stand where it is put: data stays data, while a value that begins the
    address or a path (``https://host{permalink}``) keeps its ``? & =``.

    Raises:
        PathError: a path could not be evaluated.
    """
    pieces: list[str] = []
    at = 0
    for match in _PLACEHOLDER.finditer(template):
        name = match[1].strip()
        text = values.get(name)
        if not text:
            found = compile_path(name).value(record)
            text = text_of(found) if is_present(found) else None
        if not text:
            return None
        pieces.append(template[at : match.start()])
        pieces.append(_encoded(text.strip(), "".join(pieces)) if as_url else text)
        at = match.end()
    return "".join(pieces) + template[at:]


def check_template(template: str) -> None:
    """Accept a template whose braces are balanced and whose names are fields or JMESPaths.

    Raises:
        ValueError: one readable line saying what is wrong with it.
    """
    rest = _PLACEHOLDER.sub("", template)
    if "{" in rest or "}" in rest:
        raise ValueError("a brace that is not closed or not opened: write {name}")
    for name in _PLACEHOLDER.findall(template):
        try:
            compile_path(name.strip())
        except ValueError as exc:
            raise ValueError(f"{{{name}}}: {exc}") from exc


def _encoded(text: str, before: str) -> str:
    """Return ``text`` as it may follow ``before`` in an address."""
    authority = before.partition("://")[2]
    if not before or ("/" not in authority and text.startswith("/")):
        safe = _SAFE_IN_ADDRESS
    elif "?" in before or "#" in before:
        safe = _SAFE_IN_QUERY
    else:
        safe = _SAFE_IN_PATH
    # Slugs often come encoded already; encoding them once more would name another page.
    return quote(_STRAY_PERCENT.sub("%25", text), safe=safe)


_PER_SECOND: Final = {"epoch": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
_LONGEST: Final = 200
_LONG_FRACTION: Final = lazy_pattern(r"(?<=\d[.,:])(\d{6})\d+")


def read_mapped_date(value: str, formats: tuple[str, ...], zone: tzinfo, now: datetime | None) -> datetime:
    """Return the instant that ``value`` names in one of ``formats``, in UTC; without formats, in any known form.

    Formats are strptime patterns, ``iso``, ``epoch``, ``epoch_ms``, ``epoch_us`` or ``relative``. A date without a
    zone is taken in ``zone``. ``relative`` (``今天 16:25``, ``3分钟前``) needs ``now``.

    Raises:
        ValueError: ``"…" does not match "%Y-%m-%d"``.
    """
    text = " ".join(value.split())
    if len(text) > _LONGEST:
        raise ValueError(f"{shown(text)} is too long for a date")
    if not formats:
        found = parse_date(text, zone=zone, now=now)
        if found is None:
            raise ValueError(f"{shown(text)} is no date that can be read")
        return found
    for form in formats:
        moment = _read(text, form, zone, now)
        if moment is not None:
            if is_believable(moment):
                return moment
            raise ValueError(f"{shown(text)} read as {form} is in the year {moment.year}, which cannot be believed")
    if "relative" in formats and now is None:
        raise ValueError(f"{shown(text)} cannot be read: it is not known when the document was fetched")
    raise ValueError(f"{shown(text)} does not match {' or '.join(_quoted(form) for form in formats)}")


def _quoted(form: str) -> str:
    return form if form in NAMED_FORMATS else f'"{form}"'


def _read(text: str, form: str, zone: tzinfo, now: datetime | None) -> datetime | None:
    try:
        if form in _PER_SECOND:
            return _from_epoch(text, _PER_SECOND[form])
        if form == "iso":
            return _in_utc(datetime.fromisoformat(text), zone)
        if form == "relative":
            return parse_date(text, zone=zone, now=now) if now else None
        return _from_pattern(text, form, zone)
    except (ValueError, OverflowError, IndexError, re.error):
        return None


def _from_epoch(text: str, per_second: int) -> datetime | None:
    number = int(text) if text.lstrip("-").isdecimal() else float(text)
    if not math.isfinite(number):
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(number * (1_000_000 // per_second)))


def _from_pattern(text: str, form: str, zone: tzinfo) -> datetime:
    if "%f" in form:
        text = _LONG_FRACTION.sub(r"\1", text)  # strptime reads six digits, some services write nine
    return _in_utc(datetime.strptime(text, form), zone)  # noqa: DTZ007 - the zone is put in by _in_utc


def _in_utc(moment: datetime, zone: tzinfo) -> datetime:
    if not 1 < moment.year < 9999:
        return moment.replace(tzinfo=UTC)  # where the calendar ends, no zone can be applied
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
