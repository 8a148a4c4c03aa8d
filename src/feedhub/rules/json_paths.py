"""JMESPath (jmespath.org) over records: compiled once, checked wholly, never a foreign exception."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import jmespath
from jmespath.exceptions import EmptyExpressionError, JMESPathTypeError, LexerError, ParseError
from jmespath.functions import Functions

from feedhub.rules.text import plain

_LONGEST: Final = 2_000
_SHOWN_KEYS: Final = 12
_FUNCTIONS: Final[Mapping[str, Mapping[str, Any]]] = Functions.FUNCTION_TABLE


class PathError(ValueError):
    """A path cannot be evaluated on one value; the text says why."""


class JsonPath:
    """A compiled path."""

    __slots__ = ("_tree", "text")

    def __init__(self, text: str, tree: Any) -> None:
        self.text = text
        self._tree = tree

    def value(self, record: object) -> object:
        """Return what the path gives, None where a key is absent.

        Raises:
            PathError: a function met a value that it cannot work with.
        """
        try:
            found: object = self._tree.search(record)
        except JMESPathTypeError as exc:
            expected = " or ".join(sorted(set(exc.expected_types)))
            raise PathError(f"{exc.function_name}() needs {expected}, and met {exc.actual_type}") from exc
        except RecursionError as exc:
            raise PathError("the value is nested too deeply") from exc
        except Exception as exc:  # anything a user's expression may do to foreign data
            raise PathError(plain(f"{type(exc).__name__}: {exc}")[:200]) from exc
        return found

    def steps(self) -> tuple[tuple[str | int, ...], bool]:
        """Return the plain keys and indexes that the path begins with, and whether it is nothing but these."""
        return _steps(self._tree.parsed)


@lru_cache(maxsize=4096)
def compile_path(text: str) -> JsonPath:
    """Return the compiled path.

    Raises:
        ValueError: one readable line that says what is wrong and where; unknown functions and wrong numbers of
            arguments are found here, not at the first record.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"not a JMESPath: longer than {_LONGEST} characters")
    try:
        tree: Any = jmespath.compile(text)
        for node in _nodes(tree.parsed):
            _check_call(node)
    except EmptyExpressionError as exc:
        raise ValueError("not a JMESPath: it is empty") from exc
    except ParseError as exc:
        raise ValueError(f"not a JMESPath: {_explained(text, exc)}") from exc
    except RecursionError as exc:
        raise ValueError("not a JMESPath: nested too deeply") from exc
    return JsonPath(text, tree)


def is_true(value: object) -> bool:
    """Tell whether a value counts as true in JMESPath: all but null, false and what is empty; 0 is true."""
    return not (value is None or value is False or value == "" or value == [] or value == {})


def in_words(value: object) -> str:
    """Say what a JSON value is: ``a list``, ``an object; its keys are …``."""
    if isinstance(value, dict):
        keys = ", ".join(plain(str(key))[:40] for key in list(value)[:_SHOWN_KEYS])
        return f"an object; it has: {keys}" if keys else "an empty object"
    if isinstance(value, bool):
        return "true" if value else "false"
    return {list: "a list", str: "text", type(None): "null"}.get(type(value), "a number")


def _explained(text: str, error: ParseError) -> str:
    if isinstance(error, LexerError):
        return f"{plain(str(error.message))} at character {error.lex_position + 1}{_hint(text, error)}"
    if error.lex_position >= len(text):
        return f"it ends too early, after character {len(text)}"
    return f"{error.token_value!r} at character {error.lex_position + 1} does not belong there"


def _hint(text: str, error: LexerError) -> str:
    """Say that a key such as ``created-at`` or ``标题`` must be quoted, which is the most common mistake."""
    if text[error.lex_position : error.lex_position + 1] in ("'", '"', "`", "#", ""):
        return ""
    return ' (put a key that is more than letters, digits and _ between double quotes: "created-at")'


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.get("children", ()))


def _check_call(node: Mapping[str, Any]) -> None:
    if node["type"] != "function_expression":
        return
    name, given = node["value"], len(node["children"])
    known = _FUNCTIONS.get(name)
    if known is None:
        raise ValueError(f"not a JMESPath: there is no function {name}(); there are {', '.join(sorted(_FUNCTIONS))}")
    signature = known["signature"]
    is_variadic = bool(signature) and bool(signature[-1].get("variadic"))
    if given < len(signature) or (given > len(signature) and not is_variadic):
        wanted = f"{'at least ' if is_variadic else ''}{len(signature)}"
        raise ValueError(f"not a JMESPath: {name}() takes {wanted} arguments, not {given}")


def _steps(node: Mapping[str, Any]) -> tuple[tuple[str | int, ...], bool]:
    kind, children = node["type"], node.get("children", ())
    if kind in ("field", "index"):
        return (node["value"],), True
    if kind in ("identity", "current"):
        return (), True
    if kind in ("subexpression", "index_expression"):
        found: list[str | int] = []
        for child in children:
            steps, is_whole = _steps(child)
            found.extend(steps)
            if not is_whole:
                return tuple(found), False
        return tuple(found), True
    if kind in ("projection", "filter_projection", "value_projection", "flatten", "pipe"):
        return _steps(children[0])[0], False
    return (), False
