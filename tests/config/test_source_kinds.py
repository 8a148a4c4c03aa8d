"""Kinds declare their keys as data: every form is checked and arrives, and what cannot be declared is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from feedhub.config.load import load
from feedhub.config.schema_sources import usable_kinds
from feedhub.errors import ConfigError
from feedhub.model.kind import KeyForm, KindKey, KindTable, OptionValue, SourceKind
from feedhub.model.settings import Settings
from feedhub.runtime.plugins import output_formats
from feedhub.sources.kinds import JSON, KINDS

SITE = "site: {title: T, url: https://example.org}\nsources:\n"
PLAIN_FORMS = (
    KeyForm.LINE,
    KeyForm.LINES,
    KeyForm.COUNT,
    KeyForm.FLAG,
    KeyForm.DURATION,
    KeyForm.PATTERN,
    KeyForm.PATH,
)
FORMS = SourceKind(
    name="forms",
    meaning="one of each",
    reader="forms:read",
    keys=(
        *(KindKey(name=f"a_{form.name.lower()}", form=form, meaning="M.") for form in PLAIN_FORMS),
        KindKey(name="fields", form=KeyForm.FIELDS, meaning="M."),
        KindKey(name="pages", form=KeyForm.PAGES, meaning="M."),
    ),
    paths="jmespath",
)
Load = Callable[..., Settings]


def with_key(key: KindKey) -> SourceKind:
    return SourceKind(name="text", meaning="a text", reader="t:read", keys=(key,))


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def loaded(source: str, *kinds: SourceKind) -> Settings:
        (tmp_path / "f.yaml").write_text(f"{SITE}  - {{name: a, url: a.txt, {source}}}\n")
        table = KindTable(kinds=(*KINDS.kinds, *kinds))
        return load("f.yaml", (), {}, str(tmp_path), kinds=lambda _: table, formats=output_formats)

    return loaded


def test_all_forms_are_tried_here() -> None:
    assert {*PLAIN_FORMS, KeyForm.FIELDS, KeyForm.PAGES} == set(KeyForm)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("a_line: ' x y '", "x y"),
        ("a_lines: x", ("x",)),
        ("a_lines: [x, y]", ("x", "y")),
        ("a_count: 7", 7),
        ("a_flag: true", True),
        ("a_duration: 2h", 7200.0),
        ("a_pattern: ^a+$", "^a+$"),
        ("a_path: a.b", "a.b"),
    ],
)
def test_a_value_of_every_form_arrives_as_an_option(loaded: Load, written: str, value: OptionValue) -> None:
    (source,) = loaded(f"kind: forms, {written}", FORMS).sources
    assert source.options == ((written.partition(":")[0], value),)
    assert source.option(written.partition(":")[0]) == value


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("a_line: ''", "a_line: must not be empty"),
        ("a_count: 0", "a_count: expected 1 or more"),
        ("a_flag: yes", 'a_flag: expected true or false, found "yes"'),
        ("a_duration: soon", 'a_duration: expected a duration such as 90s, 15m, 2h or 7d, found "soon"'),
        ("a_pattern: '('", "a_pattern: "),
        ("a_path: 'a['", "a_path: "),
        ("fields: {title: 'a['}", "fields.title: "),
        ("pages: {max: 0}", "pages.max: expected 1 or more"),
    ],
)
def test_a_value_of_every_form_is_checked_at_its_place(loaded: Load, written: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(f"kind: forms, {written}", FORMS)
    (found,) = caught.value.problems
    assert (found.file, found.line) == ("f.yaml", 3)
    assert f"{found.key}: {found.message}".startswith(f"sources[0].{problem}")


def test_a_default_is_given_and_a_required_key_is_asked_for(loaded: Load) -> None:
    key = KindKey(name="depth", form=KeyForm.COUNT, meaning="M.", default=3)
    (source,) = loaded("kind: text", with_key(key)).sources
    assert source.option("depth") == 3
    needed = KindKey(name="depth", form=KeyForm.COUNT, meaning="M.", required="how deep to look")
    with pytest.raises(ConfigError, match=r"sources\[0\].depth: is required: how deep to look"):
        loaded("kind: text", with_key(needed))


def test_a_kind_may_share_keys_with_the_built_in_ones(loaded: Load) -> None:
    csv = SourceKind(name="csv", meaning="a table", reader="csv:read", keys=JSON.keys, paths="jmespath")
    (source,) = loaded("kind: csv, items: rows, fields: {title: t}", csv).sources
    assert source.records is not None
    assert (source.records.items, source.options) == ("rows", ())


def test_the_digest_of_settings_moves_with_an_option_and_else_stays(loaded: Load) -> None:
    plain, same = (loaded("kind: forms", FORMS).sources[0].settings_digest for _ in range(2))
    assert plain == same != loaded("kind: forms, a_count: 2", FORMS).sources[0].settings_digest


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (with_key(KindKey(name="url", form=KeyForm.LINE, meaning="M.")), "'url', a name that is taken or none"),
        (with_key(KindKey(name="copy", form=KeyForm.LINE, meaning="M.")), "'copy', a name that is taken or none"),
        (with_key(KindKey(name="a b", form=KeyForm.LINE, meaning="M.")), "'a b', a name that is taken or none"),
        (with_key(KindKey(name="items", form=KeyForm.COUNT, meaning="M.")), "'items' in another form than kind: json"),
        (with_key(KindKey(name="rows", form=KeyForm.PAGES, meaning="M.")), "'rows' in a form that only pages may have"),
        (with_key(KindKey(name="rows", form=KeyForm.PATH, meaning="M.")), "not what its paths are written in"),
    ],
)
def test_a_kind_whose_key_cannot_be_declared_is_broken_and_says_why(kind: SourceKind, fault: str) -> None:
    table = usable_kinds(KindTable(kinds=(*KINDS.kinds, kind)))
    assert table.kinds == KINDS.kinds
    ((name, reason),) = table.broken
    assert name == "text"
    assert fault in reason


def test_a_broken_kind_is_told_where_it_is_used(loaded: Load) -> None:
    broken = with_key(KindKey(name="url", form=KeyForm.LINE, meaning="M."))
    with pytest.raises(ConfigError, match=r"sources\[0\].kind: text is no kind that can be used: its plugin declares"):
        loaded("kind: text", broken)
