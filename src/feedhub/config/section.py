"""What every section of the configuration has in common, and how problems are told with their place (SPEC §2)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, Self, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from feedhub.config.forms import Form
from feedhub.config.yaml_tree import Path, Place, Value
from feedhub.model.settings import Problem


def unexpected(error: Exception) -> str:
    """Return what to say of an error that no check foresaw."""
    return f"cannot be used: {type(error).__name__}: {str(error)[:200] or 'no more is known'}"


class Section(BaseModel):
    """A mapping of the configuration: unknown keys are errors, a key without a value counts as not given.

    ``nullable`` names the keys for which ``null`` is a value of its own. ``main_keys`` are those of the main file, of
    which an included one may hold a part.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    nullable: ClassVar[frozenset[str]] = frozenset()
    main_keys: ClassVar[frozenset[str]] = frozenset()

    def __deepcopy__(self, memo: Mapping[int, object] | None = None) -> Self:
        """Return this section: nobody changes one. Pydantic copies defaults, for every source anew."""
        return self

    @field_validator("*", mode="wrap")
    @classmethod
    def _survive_its_checks(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        """Make a fault of whatever a check breaks with, so that it is told with its place like any other."""
        try:
            return check(value)
        except (ValueError, AssertionError):
            raise
        except Exception as exc:
            raise ValueError(unexpected(exc)) from exc

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, data: Any) -> Any:
        if data is None:
            return {}
        if not isinstance(data, dict) or None not in data.values():
            return data
        droppable = {field.alias or name for name, field in cls.model_fields.items() if not field.is_required()}
        return {
            key: value
            for key, value in data.items()
            if value is not None or key in cls.nullable or key not in droppable
        }


class Fault(NamedTuple):
    """Something wrong at ``path`` inside of a section; ``found`` is what stands there."""

    path: Path
    message: str
    found: object = None


def refuse(faults: Iterable[Fault]) -> None:
    """Accept a section without faults. For validators: a ValueError of theirs would stand at the whole section.

    Raises:
        ValidationError: with every fault at its place.
    """
    errors = [
        InitErrorDetails(type=PydanticCustomError("fault", "{said}", {"said": said}), loc=path, input=found)
        for path, said, found in faults
    ]
    if errors:
        raise ValidationError.from_exception_data("section", errors)


_TEXTS: Final = {"type": "array", "items": {"type": "string"}}


class Shorthand:
    """Says in the JSON Schema what may be written instead of the section: ``text``, a ``list`` of texts, or both."""

    def __init__(self, *forms: Literal["text", "list"]) -> None:
        self._schemas = [{"type": "string"} if form == "text" else _TEXTS for form in forms]

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """See pydantic."""
        return {"anyOf": [*self._schemas, handler(core_schema)]}


def shorthand_for(key: str) -> BeforeValidator:
    """Return a validator that takes a text or a list alone for a mapping with only ``key``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str | list) else value)


def plain_form(annotation: Any) -> Any:
    """Return an annotation without ``Annotated`` and without ``| None``."""
    if get_origin(annotation) is Annotated:
        return plain_form(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        some = [part for part in get_args(annotation) if part is not type(None)]
        return plain_form(some[0]) if len(some) == 1 else annotation
    return annotation


def stated_form(annotation: Any, metadata: list[Any]) -> Form | None:
    """Return the form named by an annotation, if one is; the outermost of several."""
    if get_origin(annotation) is Annotated:
        return stated_form(get_args(annotation)[0], list(get_args(annotation)[1:]) + metadata)
    if get_origin(annotation) in (Union, UnionType) and not any(isinstance(part, Form) for part in metadata):
        forms = [stated_form(part, []) for part in get_args(annotation)]
        return next((form for form in forms if form), None)
    return next((part for part in reversed(metadata) if isinstance(part, Form)), None)


def default_text(field: FieldInfo) -> str:
    """Return the default of a duration or size as it would be written in YAML; '' for other fields."""
    form = stated_form(field.annotation, field.metadata)
    if form is None or not isinstance(field.default, int | float) or isinstance(field.default, bool):
        return ""
    text = form.show(field.default)
    return "" if text == str(field.default) else text


def section_of(annotation: Any) -> "type[Section] | None":
    """Return the section inside an annotation such as ``list[RuleSection] | None``, if there is one."""
    plain = plain_form(annotation)
    if isinstance(plain, type) and get_origin(plain) is None:
        return plain if issubclass(plain, Section) else None
    return section_of(get_args(plain)[-1]) if get_origin(plain) in (list, dict) else None


def all_sections(root: type[Section]) -> Iterator[type[Section]]:
    """Yield ``root`` and every section below it once, in the order of its keys."""
    found: dict[type[Section], None] = {root: None}
    waiting = [root]
    while waiting:
        for field in waiting.pop(0).model_fields.values():
            section = section_of(field.annotation)
            if section and section not in found:
                found[section] = None
                waiting.append(section)
    yield from found


AnySection = TypeVar("AnySection", bound=Section)

OVERRIDES: Final = "--set"
_SHOWN: Final = 60
_EXPECTED: Final = {
    "string_type": "expected text",
    "list_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """One file of the configuration as it was read.

    ``shown`` is its name in messages. ``secret_paths`` are the values that came from the environment and are never
    shown, ``unset_paths`` those whose variable is not set; ``overridden`` are those that came from ``--set``.
    """

    path: str
    shown: str
    value: dict[str, Value]
    place: Place
    secret_paths: frozenset[Path] = frozenset()
    unset_paths: frozenset[Path] = frozenset()
    overridden: tuple[Path, ...] = ()

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        """Return a problem at the value under ``path`` (or its key), or at what encloses it if it is missing."""
        place, is_there = _find(self.place, path, at_key=at_key)
        inside = any(path[: len(base)] == base for base in self.overridden)
        above = not is_there and any(base[: len(path)] == path for base in self.overridden)
        if inside or above:
            return Problem(file=OVERRIDES, line=0, column=0, key=key_text(path), message=message)
        return Problem(file=self.shown, line=place.line, column=place.column, key=key_text(path), message=message)

    def found(self, path: Path, value: object) -> str:
        """Return what stands at ``path`` in words fit for a message; a value from the environment stays hidden."""
        value = str(value) if isinstance(value, int | float) else value
        if not isinstance(value, str):
            return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else "nothing"
        if path in self.secret_paths:
            return "a value from the environment"
        shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in value[:_SHOWN])
        return f'"{shown}"' if len(value) <= _SHOWN else f'"{shown}…"'

    def line(self, path: Path) -> int:
        """Return the line on which the value under ``path`` begins."""
        return _find(self.place, path, at_key=False)[0].line


def key_text(path: Path) -> str:
    """Return a path as it is written in messages: ``sources[2].url``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def check_section(file: ConfigFile, section: type[AnySection]) -> tuple[AnySection | None, list[Problem]]:
    """Return the checked values of a file, or everything that is wrong with it."""
    try:
        return section.model_validate(file.value), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        # For a value whose variable is not set, that is the problem which is reported.
        located = [(detail, _written_path(file.value, detail["loc"])) for detail in details]
        return None, [_problem(file, section, detail) for detail, path in located if path not in file.unset_paths]


def _problem(file: ConfigFile, section: type[Section], detail: ErrorDetails) -> Problem:
    kind = detail["type"]
    is_key = detail["loc"][-1:] == ("[key]",)
    path = _written_path(file.value, detail["loc"][:-1] if is_key else detail["loc"])
    if kind == "extra_forbidden":
        return file.problem(path, _unknown_key(section, path), at_key=True)
    if kind == "missing":
        return file.problem(path, "is required")
    message = _message(detail)
    if message.startswith("expected"):
        message += f", found {file.found(path, detail['input'])}"
    return file.problem(path, message, at_key=is_key)


def _message(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind == "literal_error":
        choices = str(context["expected"]).replace("'", "")
        return f"expected {choices}" if " " in choices else f"expected {choices} (there is no other choice so far)"
    if kind == "greater_than_equal":
        return f"expected {context['ge']} or more"
    if kind == "less_than_equal":
        return f"expected {context['le']} or less"
    if kind == "too_short":
        return "must not be empty"
    return str(context.get("error", detail["msg"]))


def _written_path(value: Value, location: tuple[int | str, ...]) -> Path:
    """Return a location in the terms of the file.

    A single value that was taken as a list has no index, and one that was taken as a mapping has no key.
    """
    path: list[str | int] = []
    current: Value = value
    for part in location:
        if isinstance(part, int):
            if not isinstance(current, list):
                continue
            current = current[part]
        elif isinstance(current, str | list) and part != "[key]":
            continue
        else:
            current = current.get(part) if isinstance(current, dict) else None
        path.append(part)
    return tuple(path)


def _find(root: Place, path: Path, *, at_key: bool) -> tuple[Place, bool]:
    """Return the place of a path and True, or of the deepest part that is there and False."""
    place = root
    for depth, part in enumerate(path, start=1):
        parts = place.parts
        if isinstance(parts, dict) and isinstance(part, str) and part in parts:
            place = place.keys[part] if at_key and place.keys and depth == len(path) else parts[part]
        elif isinstance(parts, tuple) and isinstance(part, int) and part < len(parts):
            place = parts[part]
        else:
            return place, False
    return place, True


def _unknown_key(section: type[Section], path: Path) -> str:
    known = sorted(_known_keys(section, path[:-1]))
    key = str(path[-1])
    near = get_close_matches(key.lower(), known, 1, 0.6)
    if near:
        return f'unknown key; did you mean "{near[0]}"?'
    if len(path) == 1 and key in section.main_keys:
        return "belongs in the main file, not in an included one"
    return f"unknown key; known here: {', '.join(known)}"


def _known_keys(section: type[Section], path: Path) -> Iterator[str]:
    annotation: Any = section
    for part in path:
        annotation = plain_form(annotation)
        if get_origin(annotation) is list:
            annotation = plain_form(get_args(annotation)[0])
            if isinstance(part, int):
                continue
        is_mapping = get_origin(annotation) is dict
        annotation = get_args(annotation)[1] if is_mapping else _fields(annotation)[str(part)]
    annotation = plain_form(annotation)
    yield from _fields(plain_form(get_args(annotation)[0]) if get_origin(annotation) is list else annotation)


def _fields(section: type[Section]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}
