"""The keys of rules: what a condition asks, and what is done (SPEC §5)."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model, model_validator

from feedhub.config.forms import (
    CategoryNames,
    Flag,
    Form,
    Line,
    Names,
    PatternText,
    Text,
    one_or_many,
    parse_duration,
    parse_whole,
)
from feedhub.config.section import Section
from feedhub.rules.categorize import CONDITION_FIELDS, ConditionForm
from feedhub.rules.patterns import COMPARISONS, compile_pattern

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RANGE: Final = re.compile(r"(\w+)(?:\s*-\s*(\w+))?")
_RANGES_SCHEMA: Final = {
    "anyOf": [{"type": ["string", "integer"]}, {"type": "array", "items": {"type": ["string", "integer"]}}]
}


def _comparison_with(parse: Callable[[object], float]) -> Callable[[object], str]:
    """Return what reads ``> 30d`` as a sign and the number that ``parse`` makes of the rest."""

    def read(value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        sign = next((sign for sign in COMPARISONS if text.startswith(sign)), None)
        if sign is None:
            raise ValueError(f"expected one of {' '.join(COMPARISONS)} before what is compared with")
        return f"{sign}{parse(text.removeprefix(sign).strip())}"

    return read


_COMPARISON_SCHEMA: Final = WithJsonSchema({"type": "string", "pattern": r"^\s*[<>]=?\s*\d"})
_SpanComparison = Annotated[
    str,
    BeforeValidator(_comparison_with(parse_duration)),
    _COMPARISON_SCHEMA,
    Form("`>`, `<`, `>=` or `<=` before a duration"),
]
_CountComparison = Annotated[
    str,
    BeforeValidator(_comparison_with(parse_whole)),
    _COMPARISON_SCHEMA,
    Form("`>`, `<`, `>=` or `<=` before a whole number"),
]


def _ranges_of(names: tuple[str, ...], expected: str) -> Callable[[object], list[int]]:
    """Return what reads ``fri-mon``, or a list of such ranges, as numbers of ``names``; a range may begin anew."""

    def number(name: str) -> int:
        if name not in names:
            raise ValueError(expected)
        return names.index(name)

    def read(value: object) -> list[int]:
        found: set[int] = set()
        for part in value if isinstance(value, list) else [value]:
            match = _RANGE.fullmatch(part.strip().lower()) if isinstance(part, str) else None
            if match is None:
                raise ValueError(expected)
            first, last = number(match[1]), number(match[2] or match[1])
            found.update(place % len(names) for place in range(first, last + (len(names) if last < first else 0) + 1))
        return sorted(found)

    return read


def _day(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError as exc:
        raise ValueError("expected a day such as 2026-01-31") from exc


_Day = Annotated[date, BeforeValidator(_day), Form("day")]
_Weekdays = Annotated[
    list[int],
    BeforeValidator(_ranges_of(WEEKDAYS, "expected days from mon to sun, such as sat-sun")),
    WithJsonSchema(_RANGES_SCHEMA),
    Form("day or range of days, or a list"),
]
_Hours = Annotated[
    list[int],
    BeforeValidator(_ranges_of(tuple(map(str, range(24))), "expected hours from 0 to 23, such as 9-17")),
    WithJsonSchema(_RANGES_SCHEMA),
    Form("hour or range of hours, or a list"),
]


class PublishedSection(Section):
    """When an item was published, in the time zone of the site. All keys that are given must hold."""

    weekday: _Weekdays | None = Field(default=None, description="Days of the week.", examples=["sat-sun"])
    hour: _Hours | None = Field(default=None, description="Hours of the day; `9-17` ends at 17:59.", examples=["22-5"])
    after: _Day | None = Field(default=None, description="From this day on.", examples=["2026-01-31"])
    before: _Day | None = Field(default=None, description="Before this day.")

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("needs weekday, hour, after or before")
        return self


_CONDITION_FORMS: Final[dict[ConditionForm, Any]] = {
    "pattern": PatternText,
    "glob": Names,
    "list": Names,
    "categories": Names,
    "span": _SpanComparison,
    "count": _CountComparison,
    "times": PublishedSection,
}
_CONDITION_KEYS: Final[dict[str, Any]] = {
    field.name: (
        _CONDITION_FORMS[field.form] | None,
        Field(default=None, description=field.meaning, examples=[field.example] if field.example else None),
    )
    for field in CONDITION_FIELDS
}
_ConditionKeys = create_model("_ConditionKeys", __base__=Section, **_CONDITION_KEYS)


class ConditionSection(_ConditionKeys):  # type: ignore[misc, valid-type]
    """When a rule applies. Several keys in one mapping must all hold."""

    all: "list[ConditionSection] | None" = Field(default=None, min_length=1, description="Every one of these holds.")
    any: "list[ConditionSection] | None" = Field(default=None, min_length=1, description="At least one of these holds.")
    not_: "ConditionSection | None" = Field(default=None, alias="not", description="This does not hold.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError('needs at least one condition; {source: "*"} holds for every item')
        return self


class ReplaceSection(Section):
    """Puts other text for every match of a pattern."""

    field: Literal["title", "content", "summary", "author", "link"] = Field(description="Which text is changed.")
    pattern: PatternText = Field(description="What is replaced, wherever it is found.", examples=["^【[^】]*】"])
    with_: Text = Field(
        default="", alias="with", description=r"What is put there; `\1` and `\g<name>` stand for groups."
    )

    @model_validator(mode="after")
    def _groups_exist(self) -> Self:
        compile_pattern(self.pattern).check_replacement(self.with_)
        return self


Replacements = Annotated[list[ReplaceSection], BeforeValidator(one_or_many), Form("mapping, or a list of mappings")]


class ActionSection(Section):
    """What a rule does with an item."""

    drop: Flag = Field(default=False, description="Leaves the item out; `feedhub explain` names the rule.")
    keep_only: ConditionSection | None = Field(
        default=None,
        description="Leaves the item out unless this holds, too; such a rule does nothing else.",
        examples=[{"title": "芯片"}],
    )
    category: CategoryNames = Field(default=[], description="Files it under these as well.", examples=[["chips"]])
    tag: Names = Field(default=[], description="Adds these labels.", examples=[["芯片"]])
    replace: Replacements = Field(
        default=[],
        description="Changes its text; markup is cleaned again. What would put more into it than four times its "
        "length, and 10,000 characters, is left out, and the status says so.",
    )
    story: Flag = Field(
        default=True, description="With `false` it belongs to no story, when it is stored; see the key `stories`."
    )
    stop: Flag = Field(default=False, description="No later rule is asked.")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        others = self.drop or self.category or self.tag or self.replace or not self.story or self.stop
        if not (others or self.keep_only):
            raise ValueError("needs something to do: drop, keep_only, category, tag, replace, story or stop")
        if others and self.keep_only:
            raise ValueError("keep_only stands alone: what it keeps is for the next rule")
        return self


class RuleSection(Section):
    """One rule; rules run in the order they are written, and hold for stored items as for new ones."""

    name: Line = Field(description="Unique name; `feedhub explain` shows it.", examples=["no advertising"])
    when: ConditionSection = Field(description="When it applies.", examples=[{"title": "广告|推广"}])
    then: ActionSection = Field(description="What it does.", examples=[{"drop": True}])
