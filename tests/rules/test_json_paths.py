"""JMESPath as a configuration uses it: wrong paths are told at once, and values never break anything."""

import pytest

from feedhub.rules.json_paths import PathError, compile_path, in_words, is_true

QUOTE_IT = '(put a key that is more than letters, digits and _ between double quotes: "created-at")'


def nested(depth: int) -> object:
    value: object = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "not a JMESPath: it is empty"),
        ("data.", "not a JMESPath: it ends too early, after character 5"),
        ("data[", "not a JMESPath: it ends too early, after character 5"),
        ("a b", "not a JMESPath: 'b' at character 3 does not belong there"),
        ("created-at", f"not a JMESPath: Unknown token '-' at character 8 {QUOTE_IT}"),
        ("a.#", "not a JMESPath: Unknown token # at character 3"),
        ("'open", "not a JMESPath: Unclosed ' delimiter at character 1"),
        ("length(a, b)", "not a JMESPath: length() takes 1 arguments, not 2"),
        ("a[?contains(@)]", "not a JMESPath: contains() takes 2 arguments, not 1"),
        ("not_null()", "not a JMESPath: not_null() takes at least 1 arguments, not 0"),
        ("x" * 3_000, "not a JMESPath: longer than 2000 characters"),
        ("(" * 1_900, "not a JMESPath: nested too deeply"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_wrong_path_is_told_with_its_place(path: str, words: str) -> None:
    with pytest.raises(ValueError) as told:  # noqa: PT011 - the words are compared
        compile_path(path)

    assert str(told.value) == words


def test_a_function_that_does_not_exist_is_told_before_any_record_is_read() -> None:
    with pytest.raises(ValueError, match=r"there is no function lower\(\); there are abs, avg, .*type, values"):
        compile_path("items[?lower(title) == 'x']")


def test_functions_with_any_number_of_arguments_are_accepted() -> None:
    assert compile_path("not_null(a, b, c)").value({"c": 3}) == 3


@pytest.mark.parametrize(
    ("path", "record", "words"),
    [
        ("length(n)", {"n": 4}, r"length\(\) needs array or object or string, and met number"),
        ("a[::0]", {"a": [1]}, "slice step cannot be zero"),
        ("to_string(@)", nested(3_000), "nested too deeply"),
        ("floor(@)", float("inf"), "OverflowError: cannot convert float infinity"),
    ],
    ids=["type", "slice", "depth", "infinity"],
)
def test_a_value_that_a_path_cannot_work_with_is_told(path: str, record: object, words: str) -> None:
    with pytest.raises(PathError, match=words):
        compile_path(path).value(record)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, False), (False, False), ("", False), ([], False), ({}, False), (0, True), ("0", True), ([0], True)],
    ids=repr,
)  # fmt: skip
def test_truth_is_that_of_jmespath(value: object, expected: bool) -> None:
    assert is_true(value) is expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": 1, "b": 2}, "an object; it has: a, b"),
        ({}, "an empty object"),
        ([1], "a list"),
        ("x", "text"),
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1.5, "a number"),
    ],
    ids=repr,
)
def test_values_are_named_in_words(value: object, words: str) -> None:
    assert in_words(value) == words


@pytest.mark.parametrize(
    ("path", "steps", "is_whole"),
    [
        ("data.list", ("data", "list"), True),
        ("@", (), True),
        ("data[0].list", ("data", 0, "list"), True),
        ("data.children[*].data", ("data", "children"), False),
        ("a.b[?x > `1`].c", ("a", "b"), False),
        ("a.b[]", ("a", "b"), False),
        ("a | b", ("a",), False),
        ("a || `[]`", (), False),
        ("keys(@)", (), False),
    ],
)
def test_the_plain_beginning_of_a_path_is_known(path: str, steps: tuple[str | int, ...], is_whole: bool) -> None:
    assert compile_path(path).steps() == (steps, is_whole)
    assert compile_path(path).text == path
