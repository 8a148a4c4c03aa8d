"""Values in the YAML front matter of a post, and the check that what a template made of them is YAML."""

import re
from collections.abc import Sequence
from typing import Any, Final

import yaml
from markupsafe import Markup

from feedhub.errors import PublishError

# YAML 1.2 §5.1: what a reader may refuse, fold or drop when it stands unescaped; and the two signs of our own quoting.
_ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Text that every reader, of YAML 1.1 too, takes for text: no sign that means anything, no number, date or hour.
_PLAIN = re.compile(r"(?:[^\W\d_]|\d+[^\W\da-zA-Z_])(?:[\w.·/&+()（）“”《》-]| (?! |\Z))*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_DEEPEST: Final = 20
_FRONT_MATTER = re.compile(r"---\n(?P<yaml>.*?)^---$", re.DOTALL | re.MULTILINE)


class Scalar(Markup):
    """Text that is YAML already: nothing more is escaped in it."""

    __slots__ = ()


def quoted(value: object) -> Scalar:
    """Return ``value`` in double quotes, as any YAML reader gives it back; a list as ``["…", "…"]``.

    What can be printed stays as it is, so that an ordinary title is ``"title"`` and nothing else.
    """
    if isinstance(value, list | tuple):
        return Scalar("[{}]".format(", ".join(quoted(part) for part in value)))
    return Scalar(f'"{_ESCAPED.sub(_escape, str(value))}"')


def scalar(value: object) -> Scalar:
    """Return ``value`` without quotes where no reader can take it for anything else, in quotes otherwise.

    A list of one label without white space is that label; Jekyll cuts a longer text at its blanks, so any other list is
    written as a list.
    """
    if isinstance(value, list | tuple):
        return scalar(value[0]) if _is_one_word(value) else quoted(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return Scalar(text)
    return quoted(text)


def check_front_matter(post: str) -> None:
    """Accept a post whose front matter is a YAML mapping, or that has none.

    Raises:
        PublishError: Jekyll could not read it; a value went into it without the ``yaml`` filter.
    """
    if not post.startswith("---\n"):
        return
    match = _FRONT_MATTER.match(post)
    if match is None:
        raise PublishError("its front matter has no end")
    try:
        _check_mapping(match["yaml"])
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 2 if exc.problem_mark else 2
        raise PublishError(f"its front matter is not YAML: line {line}: {exc.problem}") from exc
    except yaml.YAMLError as exc:
        raise PublishError("its front matter is not YAML") from exc


def _check_mapping(text: str) -> None:
    """Raises yaml.YAMLError, or PublishError when there is something else than one mapping.

    By events: no value becomes a date, a number or an object (guarantee 14). Deep nesting ends it at once, because the
    time that it takes to read grows with its square.
    """
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents, depth = 0, 0
    is_mapping = False
    anchors = {""}
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        elif isinstance(event, yaml.CollectionStartEvent):
            is_mapping = is_mapping or (depth == 0 and isinstance(event, yaml.MappingStartEvent))
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent) and event.anchor not in anchors:
            raise PublishError(f"its front matter is not YAML: no &{event.anchor} goes before *{event.anchor}")
        anchors.add(getattr(event, "anchor", None) or "")
        if depth > _DEEPEST:
            raise PublishError(f"its front matter is nested more than {_DEEPEST} levels deep")
    if documents != 1 or not is_mapping:
        raise PublishError("its front matter is no mapping")


def _is_one_word(values: Sequence[object]) -> bool:
    return len(values) == 1 and len(str(values[0]).split()) == 1


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"  # half a character: no encoding, and so no YAML, has a form for it
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
