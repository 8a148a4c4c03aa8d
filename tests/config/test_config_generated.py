import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedhub.config.reference import configuration_reference, json_schema, json_schema_text, starter_files
from feedhub.config.schema import sections_for
from feedhub.config.section import all_sections
from feedhub.publish.formats import FORMATS
from feedhub.runtime.plugins import load_settings
from feedhub.sources.kinds import KINDS

ROOT = Path(__file__).parents[2]


def test_the_schema_in_the_repository_is_current() -> None:
    written = (ROOT / "config" / "feedhub.schema.json").read_text(encoding="utf-8")
    assert written == json_schema_text(KINDS, FORMATS), "run: feedhub schema > config/feedhub.schema.json"


def test_the_reference_in_the_repository_is_current() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == configuration_reference(KINDS, FORMATS), "run: make docs"


def test_the_starter_in_the_repository_is_the_one_in_the_package() -> None:
    written = (ROOT / "config" / "feedhub.yaml").read_text(encoding="utf-8")
    assert written == starter_files(KINDS, FORMATS)["config/feedhub.yaml"], (
        "copy src/feedhub/config/starter.yaml to config/feedhub.yaml"
    )


def test_every_key_has_one_line_that_says_what_it_means() -> None:
    for section in all_sections(sections_for(KINDS, FORMATS)[0]):
        assert section.__doc__
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
            assert "\n" not in field.description


def test_the_reference_names_every_key_with_form_and_default() -> None:
    text = configuration_reference(KINDS, FORMATS)
    for section in all_sections(sections_for(KINDS, FORMATS)[0]):
        for name, field in section.model_fields.items():
            assert f"\n| `{field.alias or name}` | " in text
    assert re.search(r"^\| `max_size` \| .* \| size \| `10MB` \|$", text, re.MULTILINE)
    assert re.search(r"^\| `gap` \| .* \| duration \| `1s` \|$", text, re.MULTILINE)
    assert re.search(
        r"^\| `allow_private` \| .* \| list of: host, network or host:port \| `\[\]` \|$", text, re.MULTILINE
    )


def test_every_row_of_the_reference_has_four_cells() -> None:
    rows = [line for line in configuration_reference(KINDS, FORMATS).splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for child in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from nodes(child)


def test_the_schema_says_its_draft_and_forbids_unknown_keys_everywhere() -> None:
    schema = json_schema(KINDS, FORMATS)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    objects = [node for node in nodes(schema) if "properties" in node and node.get("type") == "object"]
    assert len(objects) == len(list(all_sections(sections_for(KINDS, FORMATS)[0])))
    assert all(node["additionalProperties"] is False for node in objects)


def test_the_schema_gives_every_key_a_description_and_defaults_as_they_are_written() -> None:
    schema = json_schema(KINDS, FORMATS)
    for section in [schema, *schema["$defs"].values()]:
        assert all("description" in described for described in section["properties"].values())
    poll = schema["$defs"]["PollSection"]["properties"]
    assert (poll["every"]["default"], poll["max_size"]["default"], poll["workers"]["default"]) == ("15m", "10MB", 32)
    assert re.fullmatch(poll["every"]["anyOf"][0]["pattern"], "15m")
    assert re.fullmatch(poll["max_size"]["anyOf"][0]["pattern"], "10MB")


def test_the_schema_uses_only_words_that_validators_know() -> None:
    assert not [node for node in nodes(json_schema(KINDS, FORMATS)) if {"ge", "le", "gt", "min_length"} & set(node)]


def test_the_schema_accepts_replace_as_one_mapping_and_as_a_list() -> None:
    replace = json_schema(KINDS, FORMATS)["$defs"]["ActionSection"]["properties"]["replace"]
    assert [each.get("type", "mapping") for each in replace["anyOf"]] == ["mapping", "array"]


def test_the_starter_works_as_it_is_written(tmp_path: Path) -> None:
    for name, content in starter_files(KINDS, FORMATS).items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    settings = load_settings(None, (), {}, str(tmp_path))
    assert len(settings.sources) >= 12
    assert len(settings.categories) >= 4
    assert settings.rules
    assert settings.problems == ()
    assert all(source.url.startswith("https://") for source in settings.sources)
    assert json.loads((tmp_path / "config/feedhub.schema.json").read_text(encoding="utf-8"))["title"]


def test_the_starter_begins_with_the_line_that_editors_look_for() -> None:
    starter = starter_files(KINDS, FORMATS)["config/feedhub.yaml"]
    assert isinstance(starter, str)
    assert starter.splitlines()[0] == "# yaml-language-server: $schema=feedhub.schema.json"


@pytest.mark.parametrize("command", ["feedhub schema", "feedhub check"])
def test_the_reference_points_to_the_commands(command: str) -> None:
    assert f"`{command}`" in configuration_reference(KINDS, FORMATS)


def test_the_schema_accepts_a_path_a_list_of_paths_and_a_mapping_as_a_field() -> None:
    title = json_schema(KINDS, FORMATS)["$defs"]["FieldsSection"]["properties"]["title"]
    assert [each.get("type", each.get("$ref")) for each in title["anyOf"]] == [
        "string",
        "array",
        "#/$defs/FieldSection",
        "null",
    ]


def test_the_schema_allows_only_the_short_forms_that_the_checks_do() -> None:
    sections = json_schema(KINDS, FORMATS)["$defs"]
    after, same_title = sections["OutputSection"]["properties"]["after"], sections["DedupeSection"]["properties"]
    assert [each.get("type", each.get("$ref")) for each in after["anyOf"]] == ["array", "#/$defs/AfterSection", "null"]
    assert same_title["same_title"]["anyOf"][0] == {"type": "string"}
    assert "array" not in [each.get("type") for each in same_title["same_title"]["anyOf"]]


def test_an_example_with_backticks_is_readable_in_the_reference() -> None:
    assert "Example: `` ad == `false` `` |" in configuration_reference(KINDS, FORMATS)
