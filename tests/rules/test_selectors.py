"""SPEC §3.1 ``kind: html``: what selectors mean, and what is said of those that cannot be used."""

import pytest

from feedhub.rules.selectors import (
    condition_selector,
    element_selector,
    field_selector,
)


@pytest.mark.parametrize(
    ("text", "xpath", "attribute", "part"),
    [
        ("a", "descendant::a", None, None),
        (" h2 > a ", "descendant::h2/a", None, None),
        ("a@href", "descendant::a", "href", None),
        ("a @data-Url", "descendant::a", "data-url", None),
        ("img, video@src", "descendant::img | descendant::video", "src", None),
        ("div::html", "descendant::div", None, "html"),
        ("div ::text", "descendant::div", None, "text"),
        (".", None, None, None),
        ("@href", None, "href", None),
        (".@href", None, "href", None),
        (".::html", None, None, "html"),
        ("::text", None, None, "text"),
        ('a[title="x@y"]', "descendant::a[@title = 'x@y']", None, None),
        (":scope > a", "self::*[position() = 1]/a", None, None),
        ("> a@href", "self::*[position() = 1]/a", "href", None),
        (":not(b)", "descendant::*[not(self::b)]", None, None),
        ("*|a", "descendant::*[local-name() = 'a']", None, None),
    ],
)
def test_a_field_selector_says_where_and_what(text: str, xpath: str | None, attribute: str | None, part: str) -> None:
    found = field_selector(text)

    assert (found.xpath, found.attribute, found.part) == (xpath, attribute, part)


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        (".ad", "descendant-or-self::"),
        ("li:not(.ad)", "descendant-or-self::"),
        ("time", "descendant-or-self::"),
        ("*", "descendant-or-self::"),
        (".x:not(.ad)", "descendant-or-self::"),
        (":not(.ad)", "self::"),
        ("*:not(.ad)", "self::"),
        (":has(time)", "self::"),
        (":is(.a, .b)", "self::"),
        (":where(.a)", "self::"),
        (":contains('x')", "self::"),
        (":first-child", "self::"),
        (":scope > a", "self::"),
    ],
)
def test_a_condition_of_pseudo_classes_describes_the_element_alone(text: str, axis: str) -> None:
    assert condition_selector(text).startswith(axis)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("a[", "Expected ident or '*', got <EOF at 2>"),
        ("a:unheard-of", "The pseudo-class :unheard-of is unknown"),
        ("a::before", "only ::text and ::html exist here"),
        ("a::attr(href)", "for an attribute write a@href"),
        ("svg|a", "pages have no namespaces, so svg| means nothing"),
        ("[xlink|href]", "pages have no namespaces"),
        ("a\x01b", "Expected selector, got <DELIM"),
        ("\\1", "it names a control character"),
        ("a" * 1_001, "longer than 1000 characters"),
    ],
)
def test_what_is_wrong_with_a_selector_is_said_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="not a usable selector: ") as caught:
        field_selector(text)

    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [":not(" * 190, ":is(" * 240 + "a" + ")" * 10, ":has(" * 190])
def test_a_selector_nested_without_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a usable selector"):
        element_selector(text)


@pytest.mark.parametrize("text", ["a@href", "a::text", ".", "@href"])
def test_nothing_can_be_taken_of_a_list(text: str) -> None:
    with pytest.raises(ValueError, match="not a usable selector"):
        element_selector(text)
