"""Mapped fields (SPEC §3.1): the first path that says something wins, else a template is filled in.

A value that ``match`` refuses, or of which ``strip`` leaves nothing, gives the turn to the next path.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from feedhub.model.mapping import FieldMap
from feedhub.model.report import FieldTrace
from feedhub.rules.json_paths import compile_path, in_words
from feedhub.rules.mapped_values import ADDRESS_FIELDS, FieldValue, is_present, shaped, shown, text_of

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
# RFC 3986: what may stand in a path segment, and the slash; in a query, & = + # would change its meaning.
_SAFE_IN_PATH: Final = "/:@!$&'()*+,;=~%"
_SAFE_IN_QUERY: Final = "/:@!$'()*,~%"
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SAFE_IN_ADDRESS: Final = "/:@!$&'()*+,;=~?#[]%"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldResult:
    """The value of one field of one record; ``path`` gave it. Without a value, ``reason`` says why there is none."""

    name: str
    value: FieldValue | None = None
    path: str | None = None
    reason: str = ""


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


def apply_field(name: str, field: FieldMap, record: object, values: Mapping[str, str]) -> FieldResult:
    """Return the value of one field of ``record``. ``values`` are the fields that templates may use."""
    faults: list[tuple[str, str]] = []
    for path, value, fault in _candidates(name, field, record, values):
        if value is not None:
            return FieldResult(name=name, value=value, path=path)
        faults.append((path, fault))
    told = [f"{path}: {fault}" for path, fault in faults if fault]
    empty = [path for path, fault in faults if not fault]
    if empty:
        told.append(f"nothing at {', '.join(empty)}")
    return FieldResult(name=name, reason=f"fields.{name}: {'; '.join(told) or 'no path is given'}")


def apply_fields(fields: Sequence[tuple[str, FieldMap]], record: object) -> dict[str, FieldResult]:
    """Return the value of every mapped field. Templates come last, so that they can use all others and earlier ones."""
    results: dict[str, FieldResult] = {}
    for name, field in sorted(fields, key=lambda pair: pair[1].template is not None):
        values = template_values(results) if field.template is not None else {}
        results[name] = apply_field(name, field, record, values)
    return results


def template_values(results: Mapping[str, FieldResult]) -> dict[str, str]:
    """Return the fields that have a value as the texts that templates put in."""
    return {name: _written(result.value).strip() for name, result in results.items() if result.value is not None}


def traced_field(name: str, field: FieldMap, record: object, values: Mapping[str, str]) -> tuple[FieldTrace, ...]:
    """Return what every path of a field gives, those too that are not asked because an earlier one won."""
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
