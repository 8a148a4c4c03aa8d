"""Takes the JavaScript off a JSON answer: ``var x=…;``, ``cb(…);``, ``try{cb(…);}catch(e){}``, ``/**/cb(…)``."""

import re

from feedhub.errors import ParseError
from feedhub.rules.walls import is_challenge

_BLANK = " \t\r\n\ufeff\u00a0\u2028\u2029"
# Comments, and what keeps an answer from being run as a script: `)]}',`, `while(1);`, `for(;;);`.
_AHEAD = re.compile(
    rf"(?:[{_BLANK}]++|/\*[^*]*+\*++(?:[^/*][^*]*+\*++)*+/|//[^\r\n]*+"
    r"|\)\]\}'?,?(?=\s*[\r\n{\[])|(?:while\s*+\(\s*+1\s*+\)|for\s*+\(\s*+;\s*+;\s*+\))\s*+;)++"
)
_TRY = re.compile(r"try\s*+\{")
_CATCH = re.compile(r"\}\s*+catch\s*+(?:\([^()]{0,100}\)\s*+)?\{[^{}]{0,1000}\}[\s;]*+$")
_CATCH_ROOM = 2_000
_NAME = r"[A-Za-z_$][\w$]{0,200}+"
_PATH = rf"{_NAME}(?:\s*+\.\s*+{_NAME}|\[\s*+(?:\d{{1,10}}|'[^'\\]{{0,200}}'|\"[^\"\\]{{0,200}}\")\s*+\]){{0,10}}"
_ASSIGNED = re.compile(rf"(?:(?:var|let|const)\s++)?{_PATH}\s*+=(?![=>])")
_GUARD = re.compile(rf"typeof\s++{_PATH}\s*+===?\s*+['\"]function['\"]\s*+&&")
_CALLED = re.compile(rf"(?:{_PATH}\s*+)?\(")
_VALUE = re.compile(r"""[{\["\-0-9]|true|false|null|NaN|Infinity""")
_WORDS = frozenset({"true", "false", "null", "NaN", "Infinity"})
_LAYERS = 6
_EXCERPT = 60
_HEAD = 3_000


def unwrapped(text: str) -> str:
    """Return the JSON inside ``text``; JSON without a wrapper comes back as it is, but for blanks and a BOM around it.

    Linear in the length of ``text``. Whether what is left is valid JSON is for the JSON reader to say.

    Raises:
        ParseError: it is a web page, a script, or anything else that does not begin as JSON does.
    """
    inner = _begun(text)
    is_wrapped = False
    for _ in range(_LAYERS):
        peeled = _peeled(inner)
        if peeled is None:
            break
        inner, is_wrapped = _begun(peeled), True
    if not inner:
        raise ParseError("the wrapper is empty" if is_wrapped else "the document is empty")
    if _VALUE.match(inner) is None:
        excerpt = " ".join(inner[: _EXCERPT * 2].split())[:_EXCERPT]
        if is_challenge(text):
            raise ParseError("challenge page instead of JSON")
        what = "a web page instead of JSON" if inner[0] == "<" else "no JSON"
        raise ParseError(f"{'not JSON inside of the wrapper' if is_wrapped else what}: it begins with {excerpt!r}")
    return inner


def _begun(text: str) -> str:
    """Return ``text`` without blanks around it and without what may come before a wrapper or a value."""
    inner = text.strip(_BLANK)
    match = _AHEAD.match(inner)
    return inner[match.end() :] if match else inner


def _peeled(text: str) -> str | None:
    """Return what is inside the outermost wrapper, or None if there is none."""
    if match := _TRY.match(text):
        start = max(match.end(), len(text) - _CATCH_ROOM)
        end = _CATCH.search(text, start)
        return text[match.end() : end.start()] if end else None
    if match := _GUARD.match(text):
        return text[match.end() :]
    head = text[:_HEAD]
    if match := _ASSIGNED.match(head):
        return text[match.end() :].rstrip(_BLANK + ";")
    if (match := _CALLED.match(head)) and text[: match.end() - 1].strip() not in _WORDS:
        inside = text.rstrip(_BLANK + ";")
        return inside[match.end() : -1] if inside.endswith(")") else None
    return None
