"""JSON Schema and reference, written from the sections of the configuration; and what ``feedhub init`` writes."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from feedhub.config.schema import sections_for
from feedhub.config.section import Section, all_sections, default_text, plain_form, section_of, stated_form
from feedhub.model.kind import KindTable
from feedhub.model.output import FormatTable

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kinds: KindTable, formats: FormatTable) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a configuration file, for editors."""
    config, _ = sections_for(kinds, formats)
    schema = config.model_json_schema(by_alias=True)
    sections = {section.__name__: section for section in all_sections(config)}
    for name, section_schema in {**schema["$defs"], "Config": schema}.items():
        _write_defaults(section_schema["properties"], sections[name])
    replace = schema["$defs"]["ActionSection"]["properties"]["replace"]
    replace["anyOf"] = [replace["items"], {"type": replace.pop("type"), "items": replace.pop("items")}]
    return {**schema, "$schema": _DRAFT, "title": "feedhub configuration"}


def _write_defaults(properties: dict[str, Any], section: type[Section]) -> None:
    """Write defaults as in YAML, and every description; remove the titles that pydantic makes of names."""
    for name, field in section.model_fields.items():
        described = properties[field.alias or name]
        described.pop("title", None)
        described["description"] = field.description
        if described.get("default") is None or isinstance(field.default, Section):
            described.pop("default", None)
        if default := default_text(field):
            described["default"] = default


def json_schema_text(kinds: KindTable, formats: FormatTable) -> str:
    """Return the JSON Schema as it stands in the file ``feedhub.schema.json``."""
    return json.dumps(json_schema(kinds, formats), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def starter_files(kinds: KindTable, formats: FormatTable) -> dict[str, str | bytes]:
    """Return the files of a new project: paths relative to its folder, with forward slashes, and their contents."""
    starter = files("feedhub.config").joinpath("starter.yaml").read_text(encoding="utf-8")
    return {
        "config/feedhub.yaml": starter,
        "config/feedhub.schema.json": json_schema_text(kinds, formats),
        "output/.gitkeep": b"",
    }


_HEADINGS: Final = {
    "Config": "The whole file",
    "SourceSection": "`sources`",
    "SourceCategorySection": "`category` of a source",
    "FieldsSection": "`fields`",
    "FieldSection": "One field of `fields`",
    "DetailSection": "`detail`",
    "PagesSection": "`pages`",
    "JekyllSection": "`output.jekyll`",
    "ConditionSection": "`when` of a rule",
    "ActionSection": "`then` of a rule",
    "PublishedSection": "`published` of a condition",
    "ReplaceSection": "`replace` of `then`",
    "PerHostSection": "`poll.per_host`",
    "HostGroupSection": "`poll.per_host.groups`",
    "CategorySection": "`categories`",
    "StoryChoiceSection": "`stories` of a category",
    "NeverSection": "`stories.never`",
    "IdentitySection": "`identity`",
    "RuleSection": "`rules`",
}
_PLAIN_FORMS: Final = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def configuration_reference(kinds: KindTable, formats: FormatTable) -> str:
    """Return the reference in Markdown. A test compares ``docs/configuration.md`` with it."""
    intro = files("feedhub.config").joinpath("reference_intro.md").read_text(encoding="utf-8")
    return intro + "".join(_section(section) for section in all_sections(sections_for(kinds, formats)[0]))


def _section(section: type[Section]) -> str:
    name = section.__name__
    heading = _HEADINGS.get(name) or f"`{name.removesuffix('Section').lower()}`"
    rows = "\n".join(_row(key, field) for key, field in _keys(section))
    about = " ".join((section.__doc__ or "").split("``nullable``")[0].split())
    return f"\n## {heading}\n\n{about}\n\n| key | meaning | form | default |\n|---|---|---|---|\n{rows}\n"


def _keys(section: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        yield field.alias or name, field


def _row(key: str, field: FieldInfo) -> str:
    meaning = field.description or ""
    if field.examples:
        meaning += f" Example: {_code(field.examples[0])}"
    cells = [f"`{key}`", meaning, _form(field.annotation, field.metadata), _default(field)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None or isinstance(field.default, Section):
        return ""
    return _code(default_text(field) or field.default)


def _code(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _form(annotation: Any, metadata: list[Any]) -> str:
    stated = stated_form(annotation, metadata)
    if stated:
        return stated.words
    plain = plain_form(annotation)
    inner = section_of(annotation)
    origin, arguments = get_origin(plain), get_args(plain)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is list:
        return "list of mappings" if inner else f"list of: {_form(arguments[0], [])}"
    if origin is dict:
        return f"{_form(arguments[0], [])} → {'mapping' if inner else _form(arguments[1], [])}"
    return "mapping" if inner else _PLAIN_FORMS[plain]
