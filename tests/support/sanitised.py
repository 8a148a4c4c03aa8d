"""What sanitised markup may hold, written down a second time and checked with a parser that is not the sanitiser's."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser

from lxml.html import HtmlElement

_TAGS = frozenset(
    "article aside blockquote br caption col colgroup dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 "
    "header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul a abbr b bdi bdo cite code del "
    "dfn em i ins kbd mark q rp rt ruby s samp small span strike strong sub sup time tt u var wbr audio iframe img "
    "source video".split()
)
_ATTRIBUTES = frozenset(
    "dir lang title href src cite span datetime open width height alt value start reversed type colspan rowspan align "
    "scope poster rel loading referrerpolicy sandbox controls preload".split()
)
_ADDRESSES = frozenset({"href", "src", "cite", "poster"})
_ADDRESS = re.compile(r"https?://[^\s\x00-\x20<>\"]+|mailto:.*", re.DOTALL | re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(png|jpe?g|gif|webp|avif|bmp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def element_faults(tag: str, attributes: Mapping[str, str]) -> list[str]:
    """Return what the policy does not allow of one element."""
    faults = [] if tag in _TAGS else [f"<{tag}>"]
    faults += [f"{tag} {name}" for name in attributes if name not in _ATTRIBUTES]
    for name in _ADDRESSES & attributes.keys():
        value = attributes[name]
        is_picture = tag == "img" and name == "src" and _PICTURE.fullmatch(value)
        is_mail = value.lower().startswith("mailto:")
        if not (_ADDRESS.fullmatch(value) or is_picture) or (is_mail and tag != "a"):
            faults.append(f"{tag} {name}={value!r}")
    if tag == "img" and attributes.get("referrerpolicy") != "no-referrer":
        faults.append("img without referrerpolicy")
    if tag == "iframe" and ("sandbox" not in attributes or not attributes.get("src", "").startswith("https://")):
        faults.append(f"iframe {attributes}")
    return faults


def tree_faults(root: HtmlElement) -> list[str]:
    """Return what the policy does not allow of the elements inside ``root`` as lxml sees them."""
    faults: list[str] = []
    for element in root.iterdescendants():
        if isinstance(element.tag, str):
            faults += element_faults(element.tag, dict(element.attrib))
        else:
            faults.append(f"no element: {element}")
    return faults


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.faults += element_faults(tag, {name: value or "" for name, value in attrs})

    handle_startendtag = handle_starttag

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"declaration {decl!r}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"declaration {data!r}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"instruction {data!r}")


def faults_in(markup: str) -> list[str]:
    """Return what ``markup`` holds that the policy (docs/markup.md) does not allow."""
    checker = _Checker()
    checker.feed(markup)
    checker.close()
    return checker.faults + ([f"character in {markup!r}"] if _FORBIDDEN.search(markup) else [])


def check_sanitised(markup: str) -> None:
    """Accept markup that keeps to the policy."""
    assert not faults_in(markup), (faults_in(markup), markup)
