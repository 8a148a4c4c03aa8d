"""SPEC §3.1: what is taken off a JSONP answer, and how long that may take."""

import json
import time

import pytest

from feedhub.errors import ParseError
from feedhub.sources.mapped.json_api import unwrapped

VALUE = '{"a": "x=1; cb(2); }catch(e){}", "b": [1]}'


@pytest.mark.parametrize(
    "wrapped",
    [
        VALUE,
        f"\ufeff \r\n{VALUE}\n",
        f"var x={VALUE};",
        f"var x = {VALUE}",
        f"let x = {VALUE};\n",
        f"const _$x1={VALUE} ; ;",
        f"x={VALUE}",
        f"window.x = {VALUE};",
        f"window['a b'].list[0] = {VALUE};",
        f"cb({VALUE})",
        f"cb({VALUE});",
        f" jQuery351_1.cb ( {VALUE} ) ; ",
        f"({VALUE})",
        f"/**/cb({VALUE});",
        f"/* one */ // two\n/***/ cb({VALUE});",
        f"/**/ typeof cb === 'function' && cb({VALUE});",
        f"try{{cb({VALUE});}}catch(e){{}}",
        f"try{{cb({VALUE});}}catch(e){{}};",
        f"try {{ cb({VALUE}) ; }} catch (e) {{ log(e); }} ; \n",
        f"try{{x={VALUE}}}catch{{}}",
        f"var x = cb({VALUE});",
        f")]}}',\n{VALUE}",
        f"while(1);{VALUE}",
        f"for (;;);{VALUE}",
    ],
)
def test_wrappers_are_removed(wrapped: str) -> None:
    assert json.loads(unwrapped(wrapped)) == json.loads(VALUE)


@pytest.mark.parametrize("value", ["[1]", '"cb(1)"', "-1", "0", "null", "true", "NaN", '{"a":1}'])
def test_json_without_a_wrapper_is_untouched(value: str) -> None:
    assert unwrapped(value) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the document is empty"),
        (" \ufeff\n", "the document is empty"),
        ("cb();", "the wrapper is empty"),
        ("<!DOCTYPE html><p>x", "a web page instead of JSON: it begins with '<!DOCTYPE html><p>x'"),
        ("var x = function () { return 1; }", "not JSON inside of the wrapper: it begins with 'function ()"),
        ("cb(oops)", "not JSON inside of the wrapper: it begins with 'oops'"),
        ("cb([1]", r"no JSON: it begins with 'cb\(\[1\]'"),
        ("try{cb([1]);", r"no JSON: it begins with 'try"),
        ("hello\n\nworld", "no JSON: it begins with 'hello world'"),
        ("x" * 500, "no JSON: it begins with 'x{60}'$"),
        ("a=" * 20 + "1", "not JSON inside of the wrapper"),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_json_is_told_with_how_it_begins(text: str, words: str) -> None:
    with pytest.raises(ParseError, match=words):
        unwrapped(text)


def test_hostile_wrappers_take_linear_time() -> None:
    started = time.process_time()
    for part in (
        "/**/",
        "/*",
        "try{",
        "cb(",
        "a.",
        "a[0]",
        "a=(",
        "}catch(e){}",
        "(",
        "a",
        " x",
        "while(1);",
        ";",
        "//\n",
    ):
        for head in ("", "try{", "var "):
            try:
                unwrapped(head + part * 100_000)
            except ParseError as exc:
                assert len(str(exc)) < 200  # noqa: PT017 - being short is the point

    assert time.process_time() - started < 2
