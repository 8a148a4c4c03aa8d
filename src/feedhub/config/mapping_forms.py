"""The forms of single values of mapped sources and posts (SPEC §3.1, §6); see forms.py for how they speak."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from string import Formatter
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from feedhub.config.forms import Form, Line, one_or_many, parse_flag, parse_whole
from feedhub.config.yaml_tree import Quoted, Value
from feedhub.model.mapping import NAMED_FORMATS
from feedhub.rules.json_paths import compile_path
from feedhub.rules.mapping import check_template

_YEARS: Final = ("%Y", "%y", "%G", "%c", "%x", "%D", "%F")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<power>[eE][-+]?[0-9]{1,3})?")
_LONGEST_NUMBER: Final = 300
_COOKIE_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_VALUE: Final = re.compile(r"[\x20-\x3a\x3c-\x7e]*")
_NAMES_SCHEMA: Final = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_FILENAME_PARTS: Final = frozenset({"date", "id", "guid", "slug"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The body of a request; ``is_json`` when it was written as a mapping."""

    text: str
    is_json: bool


def _checked(check: Callable[[str], object]) -> AfterValidator:
    def accept(text: str) -> str:
        check(text)
        return text

    return AfterValidator(accept)


def _date_format(text: str) -> str:
    if text in NAMED_FORMATS:
        return text
    if "%" not in text:
        raise ValueError(f'expected {", ".join(NAMED_FORMATS)} or a pattern such as "%Y-%m-%d %H:%M:%S"')
    # strptime would take the year for 1900.
    if not any(year in text for year in _YEARS):
        raise ValueError("must hold the year (%Y or %y); for dates without one, and clock times, write relative")
    sample = datetime(2024, 2, 29, 13, 14, 15, 161718, tzinfo=UTC)
    try:
        datetime.strptime(sample.strftime(text), text)  # noqa: DTZ007 - what it gives does not matter
    except ValueError as error:
        raise ValueError(f"is no date pattern: {str(error).replace('%%', '%')}") from error
    return text


def _body(value: object) -> Body:
    if isinstance(value, str):
        return Body(text=value, is_json=False)
    if isinstance(value, dict):
        text = json.dumps(_json_value(value), ensure_ascii=False, separators=(",", ":"))
        return Body(text=text, is_json=True)
    raise ValueError("expected text, or a mapping that becomes JSON")


def _json_value(value: Value) -> Any:
    """Return a value as JSON has it: plain numbers, true, false and null are what they look like, quoted ones text."""
    if isinstance(value, dict):
        return {key: _json_value(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_json_value(part) for part in value]
    if value is None or isinstance(value, Quoted):
        return value
    if value in ("true", "false"):
        return value == "true"
    number = _NUMBER.fullmatch(value) if len(value) <= _LONGEST_NUMBER else None
    if number is None:
        return value
    if not (number["fraction"] or number["power"]):
        return int(value)
    # JSON has no infinity.
    return float(value) if isfinite(float(value)) else value


def _pair(value: object) -> tuple[str, str]:
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)):
        raise ValueError('expected a pair such as ["old", "new"]')
    if not value[0]:
        raise ValueError("must not look for nothing: the first text of the pair is empty")
    return value[0], value[1]


def _link(value: object) -> bool:
    try:
        return value == "header" or parse_flag(value)
    except ValueError as error:
        raise ValueError("expected true, false or header") from error


def _cookie_name(text: str) -> None:
    if not _COOKIE_NAME.fullmatch(text):
        raise ValueError("expected the name of a cookie")


def _cookie_value(text: str) -> None:
    if not _COOKIE_VALUE.fullmatch(text):
        raise ValueError("must be printable ASCII without a semicolon")


def _folder(text: str) -> None:
    parts = text.removesuffix("/").split("/")
    if "\\" in text or ":" in text or any(part in ("", ".", "..") for part in parts):
        raise ValueError("expected a folder inside of the output folder, such as _posts")


def _filename(text: str) -> None:
    if "/" in text or "\\" in text or text.startswith("."):
        raise ValueError("expected the name of a file, without folder")
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError("a brace is not closed or not opened: write {id}") from error
    names = {name for _, name, _, _ in parts if name is not None}
    if names - _FILENAME_PARTS or any(shape or conversion for _, _, shape, conversion in parts):
        raise ValueError("expected a name made of {date}, {id}, {guid} and {slug}")
    if not names & {"id", "guid"}:
        raise ValueError("must hold {id} or {guid}: two posts of one name would be one file")


def _selector(text: str) -> None:
    # Most configurations have none.
    from feedhub.rules.selectors import check_element_selector

    check_element_selector(text)


JsonPath = Annotated[Line, _checked(compile_path), Form("JMESPath")]
Selector = Annotated[Line, _checked(_selector), Form("CSS selector")]
Template = Annotated[Line, _checked(check_template), Form("text with `{name}`")]
DateFormats = Annotated[
    list[Annotated[Line, AfterValidator(_date_format)]],
    BeforeValidator(one_or_many),
    WithJsonSchema(_NAMES_SCHEMA),
    Form("one or a list of `iso`, `epoch`, `epoch_ms`, `epoch_us`, `relative`, strptime pattern"),
]
RequestBody = Annotated[
    Body, PlainValidator(_body), WithJsonSchema({"type": ["string", "object"]}), Form("text or mapping")
]
Pairs = Annotated[
    list[Annotated[tuple[str, str], PlainValidator(_pair)]],
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
        }
    ),
    Form("list of pairs"),
]
LinkHeader = Annotated[
    bool,
    PlainValidator(_link),
    WithJsonSchema({"enum": [True, False, "header"]}),
    Form("true, false or `header`", lambda flag: str(flag).lower()),
]
Whole = Annotated[int, Field(ge=0, le=1_000_000_000), BeforeValidator(parse_whole), Form("whole number from 0")]
Pages = Annotated[int, Field(ge=1, le=1_000), BeforeValidator(parse_whole), Form("whole number, 1 to 1,000")]
CookieName = Annotated[str, _checked(_cookie_name), Form("cookie name")]
CookieValue = Annotated[str, _checked(_cookie_value), Form("text")]
InnerFolder = Annotated[Line, _checked(_folder), Form("folder inside of `output.dir`")]
PostName = Annotated[Line, _checked(_filename), Form("file name with `{date}`, `{id}`, `{guid}`, `{slug}`")]
