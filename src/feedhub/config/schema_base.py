"""What every section of the configuration has in common."""

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, ClassVar, NamedTuple, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from feedhub.config.forms import Form
from feedhub.config.yaml_tree import Path


class Section(BaseModel):
    """A mapping of the configuration: unknown keys are errors, a key without a value counts as not given.

    ``nullable`` names the keys for which ``null`` is a value of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    nullable: ClassVar[frozenset[str]] = frozenset()

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
    """Accept a section without faults; for validators, where one ValueError could name the section only.

    Raises:
        ValidationError: with every fault at its place.
    """
    errors = [
        InitErrorDetails(type=PydanticCustomError("fault", "{said}", {"said": said}), loc=path, input=found)
        for path, said, found in faults
    ]
    if errors:
        raise ValidationError.from_exception_data("section", errors)


class Shorthand:
    """The JSON Schema of a section for which a text, or a list, may stand alone."""

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """See pydantic."""
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, handler(core_schema)]}


def meaning(key: str) -> BeforeValidator:
    """Return what reads a text or list that stands alone as the value of ``key``."""
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
