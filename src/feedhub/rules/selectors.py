"""CSS selectors of a configuration, translated to XPath 1.0.

The selector of a field also says what is taken of the element it finds: ``a`` its text, ``a@href`` an attribute,
``div::html`` its inner markup. ``.`` and ``@href`` alone mean the element that the field is read from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from cssselect import ExpressionError, HTMLTranslator, SelectorError
from cssselect import parse as parse_css
from cssselect.parser import (
    Attrib,
    CombinedSelector,
    Element,
    Function,
    Matching,
    Negation,
    Pseudo,
    Relation,
    Selector,
    SpecificityAdjustment,
    Tree,
)
from cssselect.xpath import XPathExpr

from feedhub.rules.text import plain, xml_legal

_LONGEST = 1_000
_SUFFIX = re.compile(r"\s*(?:@(?P<attribute>[A-Za-z_][\w:.-]*)|::(?P<part>text|html))$")
_COMBINATORS = (">", "+", "~")
_PSEUDO = (Function, Matching, Negation, Pseudo, Relation, SpecificityAdjustment)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSelector:
    """Where a value is, seen from an element, and what is taken of it. ``xpath`` None means the element itself.

    ``part`` None leaves it to the field whether text or markup is wanted.
    """

    xpath: str | None
    attribute: str | None = None
    part: Literal["text", "html"] | None = None


@lru_cache(maxsize=1024)
def field_selector(text: str) -> FieldSelector:
    """Return what a field's selector means. Everything it describes lies inside the element it is used on.

    Only one that begins with ``:scope`` or a combinator speaks of the element itself: ``:scope > a``, ``> a``, and
    ``+ tr`` where a record is two rows of a table.

    Raises:
        ValueError: one readable line saying what is wrong with the selector.
    """
    suffix = _SUFFIX.search(text)
    css = (text[: suffix.start()] if suffix else text).strip()
    is_itself = css == "." or (not css and suffix is not None)
    attribute, part = (suffix["attribute"], suffix["part"]) if suffix else (None, None)
    return FieldSelector(
        xpath=None if is_itself else _xpath(css, "descendant::"),
        attribute=attribute.lower() if attribute else None,
        part=cast(Literal["text", "html"] | None, part),
    )


@lru_cache(maxsize=1024)
def element_selector(text: str) -> str:
    """Return the XPath of elements in a page, the root included: the list of records, or what holds the content.

    Raises:
        ValueError: one readable line saying what is wrong with the selector.
    """
    return _xpath(text.strip(), "descendant-or-self::")


@lru_cache(maxsize=1024)
def condition_selector(text: str) -> str:
    """Return an XPath that finds something where an element is, or contains, what ``text`` describes.

    A selector that begins with a pseudo-class, as ``:not(.ad)`` does, describes the element alone: nearly every
    element contains something that is not ``.ad``.

    Raises:
        ValueError: one readable line saying what is wrong with the selector.
    """
    return _xpath(text.strip(), "descendant-or-self::", is_condition=True)


class _Translator(HTMLTranslator):
    def xpath_element(self, selector: Element) -> XPathExpr:
        _refuse_namespace(selector.namespace)
        return super().xpath_element(selector)

    def xpath_attrib(self, selector: Attrib) -> XPathExpr:
        _refuse_namespace(selector.namespace)
        return super().xpath_attrib(selector)


def _refuse_namespace(prefix: str | None) -> None:
    if prefix not in (None, "", "*"):
        raise ExpressionError(f"pages have no namespaces, so {prefix}| means nothing")


def _xpath(css: str, axis: str, *, is_condition: bool = False) -> str:
    if not css:
        raise ValueError("not a usable selector: it is empty")
    if len(css) > _LONGEST:
        raise ValueError(f"not a usable selector: longer than {_LONGEST} characters")
    try:
        parts = parse_css(f":scope {css}" if css.startswith(_COMBINATORS) else css)
        xpath = " | ".join(_part_xpath(part, axis, is_condition=is_condition) for part in parts)
    except (SelectorError, RecursionError) as exc:
        reason = "nested too deeply" if isinstance(exc, RecursionError) else str(exc)
        raise ValueError(f"not a usable selector: {plain(reason)}") from exc
    if xml_legal(xpath) != xpath:
        raise ValueError("not a usable selector: it names a control character")
    return xpath


def _part_xpath(part: Selector, axis: str, *, is_condition: bool) -> str:
    if part.pseudo_element is not None:
        raise ExpressionError("only ::text and ::html exist here, at the end of a field; for an attribute write a@href")
    first = part.parsed_tree
    while isinstance(first, CombinedSelector):
        first = first.selector
    chain = tuple(_simple_selectors(first))
    is_scoped = any(isinstance(one, Pseudo) and one.ident == "scope" for one in chain)
    is_pseudo_alone = len(chain) > 1 and all(isinstance(one, _PSEUDO) or _is_any(one) for one in chain)
    is_itself = is_scoped or (is_condition and is_pseudo_alone)
    return _Translator().selector_to_xpath(part, prefix="self::" if is_itself else axis)


def _simple_selectors(compound: Tree) -> Iterator[Tree]:
    """Yield what a compound selector such as ``a.b:not(.c)`` is made of, the tag (or ``*``) last."""
    while not isinstance(compound, Element):
        yield compound
        compound = cast(Tree, getattr(compound, "selector"))  # noqa: B009 - every other node has one
    yield compound


def _is_any(node: Tree) -> bool:
    return isinstance(node, Element) and node.element is None
