import pytest

from feedhub.config.yaml_tree import MAX_DEPTH, Place, read_tree


def faults(text: str) -> list[str]:
    return [f"{fault.place.line}:{fault.place.column} {fault.message}" for fault in read_tree(text).faults]


@pytest.mark.parametrize("text", ["no", "012", "12:30", "1_000", "2026-11-23", "0x1F", "1e3", "true", "on", ".inf"])
def test_scalars_keep_the_text_that_was_written(text: str) -> None:
    assert read_tree(f"a: {text}").value == {"a": text}


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL", "!!null x"])
def test_only_null_and_nothing_are_no_value(text: str) -> None:
    assert read_tree(f"a: {text}").value == {"a": None}


@pytest.mark.parametrize("text", ["'null'", '""', "!!str null", "|\n  null"])
def test_quoted_null_is_text(text: str) -> None:
    assert isinstance(read_tree(f"a: {text}").value["a"], str)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_document_is_no_value(text: str) -> None:
    tree = read_tree(text)
    assert (tree.value, tree.faults) == (None, ())


def test_everything_has_its_place() -> None:
    place = read_tree("a:\n  - b: 1\n    c: [x, yy]\n").place
    entry = place.parts["a"].parts[0]
    assert (place.keys["a"].line, place.keys["a"].column) == (1, 1)
    assert (entry.keys["c"].line, entry.keys["c"].column) == (3, 5)
    assert (entry.parts["c"].parts[1].line, entry.parts["c"].parts[1].column) == (3, 12)


def test_a_key_given_twice_is_a_fault_and_the_first_stays() -> None:
    tree = read_tree("a:\n  b: 1\n  b: 2\n")
    assert tree.value == {"a": {"b": "1"}}
    assert [(fault.place.line, fault.path) for fault in tree.faults] == [(3, ("a", "b"))]
    assert faults("a: 1\na: 2") == ["2:1 is given twice (first in line 1)"]


def test_aliases_repeat_what_they_name() -> None:
    tree = read_tree("a: &x {b: [1]}\nc: *x\n")
    assert tree.value == {"a": {"b": ["1"]}, "c": {"b": ["1"]}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}", {"k": "1", "l": "3"}, id="own keys win"),
        pytest.param(
            "a: &x {k: 1}\nb: {<<: [*x, {k: 2, m: 4}], l: 3}", {"l": "3", "k": "1", "m": "4"}, id="first of list wins"
        ),
        pytest.param('b: {"<<": x}', {"<<": "x"}, id="quoted it is a key"),
    ],
)
def test_merge_keys(text: str, expected: dict[str, str]) -> None:
    assert read_tree(text).value["b"] == expected


def test_what_was_merged_has_the_place_it_came_from() -> None:
    place = read_tree("a: &x {k: 1}\nb: {<<: *x}").place
    assert (place.parts["b"].parts["k"].line, place.parts["b"].keys["k"].column) == (1, 8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1\nb: 2", '2:2 not valid YAML: expected "," or "]": the "[" of line 1 is not closed'),
        ("\t- a", "1:1 not valid YAML: a tab; lines are indented by blanks"),
        ('a: "x', "1:6 not valid YAML: the quote of line 1 is not closed"),
        ("a: {b: 1\n", '2:1 not valid YAML: expected "," or "}": the "{" of line 1 is not closed'),
        ("a: @x", '1:4 not valid YAML: a text that begins with "@" is put in quotes'),
        ("a: !x!y z", '1:4 not valid YAML: a text that begins with "!" is put in quotes'),
        ("a: |x\n b", '1:5 not valid YAML: after "|" and ">" nothing else stands in the line'),
        ("ok: 1\na: \x01", "2:4 not valid YAML: it contains a control character"),
        ("a: *x", '1:4 nothing above is marked "&x"'),
        ("&x [*x]", '1:5 "*x" stands inside of what it repeats'),
        ("a: 1\n---\nb: 2", "2:1 a second document begins here; one file holds one"),
        ("? [a]\n: b", "1:3 a key must be plain text"),
        ("a: !!python/name:os.system x", '1:4 the tag "tag:yaml.org,2002:python/name:os.system" has no meaning here'),
        ("a: !secret [x]", '1:4 the tag "!secret" has no meaning here'),
        ("a: {<<: 5}", "1:5 expected a mapping, or a list of mappings"),
        ("a: {<<: [1, {b: 2}]}", "1:9 expected a mapping, or a list of mappings"),
    ],
)
def test_faults_have_a_place(text: str, expected: str) -> None:
    assert faults(text) == [expected]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("title: Foo: the bar", 'a text with ": " in it is put in quotes'),
        ("a: b\n  c: d", "indented further than the one above"),
        ("a:\n  - b\n c: d", "is the line indented otherwise"),
        ("a:\n  - b: 1\n   c: 2", "is the line indented too little?"),
        ("a: 'it's'", "does a quote end too early"),
        (r'a: "\d"', "put in 'single quotes'"),
    ],
)
def test_what_is_probably_meant_is_said(text: str, meant: str) -> None:
    (fault,) = faults(text)
    assert meant in fault
    assert "while" not in fault


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 50_000, "{a: " * 50_000, "a:\n" + " - " * 9000])
def test_deep_nesting_is_refused_and_harmless(text: str) -> None:
    assert "nested more than" in faults(text)[0]


def test_nesting_to_the_limit_is_read() -> None:
    assert faults("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "repeat far more than the file holds" in faults("\n".join(lines))[0]


def test_many_honest_aliases_are_fine() -> None:
    text = "h: &h {A: 1, B: 2, C: 3}\ns:\n" + "".join("  - {headers: *h}\n" for _ in range(5000))
    tree = read_tree(text)
    assert tree.faults == ()
    assert len(tree.value["s"]) == 5000


def test_places_count_characters_not_bytes() -> None:
    assert read_tree("{界面: x, b: y}").place.parts["b"] == Place(1, 12)
