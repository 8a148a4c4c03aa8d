"""Repairs pictures before sanitising: lazy loading undone, tracking pixels dropped."""

import html
import re

_IMG = re.compile(r"""<img\b((?:=\s*+"[^"]*+"|=\s*+'[^']*+'|[^<>])*+)>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([^\s"'=<>/]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
_NOSCRIPT = re.compile(r"<noscript[^>]*>((?:(?!<noscript|</noscript)[\s\S])*+)</noscript\s*>", re.IGNORECASE)
_LAZY = ("data-src", "data-original", "data-lazy-src", "data-actualsrc", "data-echo", "data-lazyload", "data-url")
_KEPT = ("alt", "title", "width", "height")
_PLACEHOLDER = re.compile(
    r"^data:|^about:|^#|(?:^|/)(?:blank|spacer|pixel|placeholder|loading|grey|transparent|1x1|lazy)[\w.-]*\.(?:gif|png|svg|jpg|webp)",
    re.IGNORECASE,
)
_SPECK = re.compile(r"\s*[01](?:px)?\s*")


def repaired_pictures(markup: str) -> str:
    """Return ``markup`` with the real address of lazy pictures in ``src``, and without 1×1 pictures.

    What ``noscript`` holds is shown, unless it stands in for lazy pictures: those are shown themselves.
    """
    known = markup.lower()
    if "<noscript" in known:
        is_lazy = any(name in known for name in _LAZY)
        markup = _NOSCRIPT.sub("" if is_lazy else r"\1", markup)
    return _IMG.sub(_repaired, markup) if "<img" in known else markup


def _repaired(match: re.Match[str]) -> str:
    attributes: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(match[1]):
        attributes.setdefault(name.lower(), html.unescape(value[1:-1] if value[:1] in "\"'" else value))
    if any(_SPECK.fullmatch(attributes.get(name, "")) for name in ("width", "height")):
        return ""
    source = _real_source(attributes)
    if source == attributes.get("src"):
        return match[0]
    kept: dict[str, str] = {name: attributes[name] for name in _KEPT if name in attributes}
    kept["src"] = source
    written = "".join(f' {name}="{html.escape(value)}"' for name, value in kept.items())
    return f"<img{written}>" if source else ""


def _real_source(attributes: dict[str, str]) -> str:
    given = attributes.get("src", "").strip()
    if given and not _PLACEHOLDER.search(given):
        return attributes["src"]
    for name in _LAZY:
        if address := attributes.get(name, "").strip():
            return address
    listed = attributes.get("srcset") or attributes.get("data-srcset") or ""
    first = listed.split(",")[0].split()
    return first[0] if first else attributes.get("src", "")
