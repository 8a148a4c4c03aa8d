"""Markup made ready for the sanitiser, so that what it takes away is only what it should take away.

The sanitiser reads markup as browsers do: an element that is never closed swallows the rest of the article, a formula
or a player goes without a trace. Whatever is written here passes through the sanitiser afterwards.
"""

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final
from urllib.parse import urlsplit

from feedhub.model.item import PLAYERS
from feedhub.rules.lazy_patterns import lazy_pattern
from feedhub.rules.text import plain, visible_text, without_cdata_marks
from feedhub.sources.hidden_text import may_hide, without_hidden
from feedhub.sources.pictures import (
    TAG_REST,
    Attributes,
    attributes_in,
    formula_markup,
    is_address,
    is_tracker,
    lazy_address,
    tag_of,
    tags_of,
    tex_markup,
)

Absolute = Callable[[str], str | None]
"""Joins an address to the base of the text; None for what is no http(s) address."""

_PLAYERS: Final = tuple(f"https://{host}{path}" for host, path in PLAYERS)
_YOUTUBE: Final = lazy_pattern(
    r"https?://(?:www\.|m\.)?(?:youtube(?:-nocookie)?\.com/(?:v/|shorts/|live/|watch\?(?:[^#]*&)?v=)|youtu\.be/)"
    r"([\w-]{3,32})",
    re.IGNORECASE,
)
_LONGEST_LABEL: Final = 200
_LOOKED_INTO: Final = 4_000

# The content of these is raw text for a parser of HTML: tags in it are none.
_RAW: Final = frozenset("script style iframe textarea title noembed noframes xmp".split())
_PROGRAM: Final = frozenset({"script", "style"})
_NESTED: Final = frozenset("svg math object applet select template head frameset video audio".split())
_SINGLE: Final = frozenset(
    "embed source oembed lite-youtube lite-vimeo amp-img amp-anim amp-video amp-audio amp-iframe amp-youtube amp-vimeo "
    "amp-soundcloud amp-twitter amp-instagram amp-facebook amp-dailymotion amp-brightcove amp-reddit amp-tiktok "
    "amp-pinterest amp-gist".split()
)
_WATCHED: Final = _RAW | _NESTED | _SINGLE
# Where such an element stands by itself, nh3 takes it away with its content: it is of another language than HTML.
_FOREIGN: Final = frozenset(
    "animate animatemotion animatetransform annotation annotation-xml circle clippath defs desc ellipse feblend "
    "fecolormatrix fecomposite feflood fegaussianblur feimage femerge femergenode feoffset filter foreignobject g "
    "line lineargradient maction marker mask menclose merror metadata mfenced mfrac mglyph mi mlabeledtr "
    "mmultiscripts mn mo mover mpadded mpath mphantom mprescripts mroot mrow ms mspace msqrt mstyle msub msubsup "
    "msup mtable mtd mtext mtr munder munderover none path pattern polygon polyline radialgradient rect semantics "
    "set stop switch symbol text textpath tspan use view".split()
)


def _one_of(names: Iterable[str]) -> str:
    """Return an expression for any of ``names``, looked up by their first letter, which is faster."""
    ordered = sorted(names, key=lambda name: (name[0], -len(name), name))
    groups = groupby(ordered, key=lambda name: name[0])
    return "|".join(f"{first}(?:{'|'.join(name[1:] for name in group)})" for first, group in groups)


# A program that is closed before any other tag stays as it is, unless it is a formula or a frame.
_CLOSED_PROGRAM: Final = r"(?<=<script)(?![^<>]*(?:math/|src))[^<>]*></script>|(?<=<style)[^<>]*></style>"
_SUSPECT: Final = lazy_pattern(rf"<(?:{_one_of(_WATCHED | _FOREIGN)})(?=[\s/>])(?!{_CLOSED_PROGRAM})")
_STRAY: Final = lazy_pattern(rf"</?(?:{_one_of(_FOREIGN)})(?=[\s/>])[^<>]*>", re.IGNORECASE)
_TAG: Final = lazy_pattern(rf"<(?:!--|(/?)({_one_of(_WATCHED)})(?=[\s/>]){TAG_REST})")
# In HTML these end a drawing that was not closed before them.
_BREAKS_OUT: Final = lazy_pattern(
    r"<(?:p|div|ul|ol|li|h[1-6]|table|blockquote|pre|img|figure|center|dl|dd|dt|hr)(?=[\s/>])", re.IGNORECASE
)
_TEXT_OF_DRAWING: Final = lazy_pattern(r"<(text|foreignobject)(?=[\s>])[^<>]*>", re.IGNORECASE)
_DOUBLED_BREAK: Final = lazy_pattern(r"(<br\b[^<>]*>)</br\s*>", re.IGNORECASE)
# A comment that never ends, and an address whose quote does, only with that of another one: they end before a tag.
_COMMENT_START: Final = lazy_pattern(r"<!--(?:-?>|[^<]*)")
_OPEN_QUOTE: Final = lazy_pattern(r'\s(?:href|src)\s*=\s*"[^"<>]*(?=>[^"<]*<)', re.IGNORECASE)
_PARAMETERS: Final = frozenset({"movie", "src", "url", "filename"})
_PARAM: Final = lazy_pattern(rf"<param\b{TAG_REST}", re.IGNORECASE)
_EMBED: Final = lazy_pattern(rf"<embed\b{TAG_REST}", re.IGNORECASE)
_SHOWN_INSTEAD: Final = lazy_pattern(r"<(?:img|a|iframe|video|audio|object|embed)\b", re.IGNORECASE)
_SOURCES: Final = lazy_pattern(r"(?:\s+|</?(?:source|track)\b[^<>]*>)*", re.IGNORECASE)
_MATH_TYPE: Final = lazy_pattern(r"\s*math/(tex|mml|asciimath)\b(.*)", re.IGNORECASE | re.DOTALL)
_EMBEDDED: Final = (*(f"//{host}" for host, _ in PLAYERS), "youtube", "vimeo", "instgrm", "fb-")
_LAZY_PLAYER: Final = lazy_pattern(rf"<(?:div|span|figure|a|p|blockquote)\b{TAG_REST}", re.IGNORECASE)
# The number of a film, and the page of a post, on an element that a script fills.
_FILM_NUMBERS: Final = (
    *("data-youtube-id", "data-yt-id", "data-ytid", "data-video-id", "data-videoid", "data-id", "data-embed"),
    *("data-vimeo-id", "data-youtube", "data-vimeo"),
)
_SHOWN: Final = lazy_pattern(r'\s(?:src|href)="([^"]*)"')
_GIST: Final = lazy_pattern(r"https?://gist\.github\.com/[\w/-]+(?=\.js)", re.IGNORECASE)
_FRAME_ADDRESSES: Final = (
    *("src", "data-lazy-src", "data-src", "data-litespeed-src", "data-cookieblock-src", "data-iframe-src"),
    "data-cmp-src",
    *("data-embed-url", "data-embed", "data-video-url", "data-oembed-url", "data-original", "data-url"),
)
_KEPT_OF_FRAMES: Final = frozenset({"title", "width", "height"})
_FILM: Final = lazy_pattern(r"\.(?:mp4|m4v|webm|ogv|mov|m3u8|mp3|m4a|ogg|oga|opus|wav)(?:[?#]|$)", re.IGNORECASE)


def repaired(markup: str, absolute: Absolute) -> tuple[str, str]:
    """Return ``markup`` with unclosed elements ended, formulas as text, players and embeds as frames or links.

    Text that is never shown goes. Beside it, ``tags_of`` it are returned. Linear in the length of ``markup``.
    """
    ready = without_cdata_marks(markup) if "<![CDATA[" in markup else markup
    # Whether there is anything to do is seen by the tags alone, which are a small part of most texts.
    tags = tags_of(ready)
    if "</br" in tags:
        ready = _DOUBLED_BREAK.sub(r"\1", ready)
    if "<!--" in tags and (opened := ready.find("<!--", ready.rfind("-->") + 1)) >= 0:
        ready = ready[:opened] + _COMMENT_START.sub("", ready[opened:])
    if ready.count('"') % 2:
        ready = _OPEN_QUOTE.sub(r'\g<0>"', ready)
    if may_hide(tags):
        ready = without_hidden(ready)
    if _SUSPECT.search(tags):
        ready = _STRAY.sub("", _Repair(markup=ready, absolute=absolute).result())
    if "data-" in tags and any(name in tags for name in _EMBEDDED):
        shown = {html.unescape(address) for address in _SHOWN.findall(ready)}
        ready = _LAZY_PLAYER.sub(lambda match: _with_lazy_player(match, absolute, shown), ready)
    return (markup, tags) if ready == markup else (ready, tags_of(ready))


def in_lower_case(markup: str) -> str:
    """Return ``markup`` with the letters A to Z in lower case: all other places stay, and it takes half of the time."""
    return markup.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


@dataclass(slots=True, kw_only=True)
class _Tag:
    """A tag that opens an element. ``inner_end`` and ``end_of_all`` are set if the element is closed."""

    start: int
    end: int
    name: str
    written: str
    inner_end: int | None = None
    end_of_all: int | None = None

    @property
    def is_self_closed(self) -> bool:
        return self.written.rstrip().endswith("/")

    @property
    def attributes(self) -> Attributes:
        return attributes_in(self.written)


@dataclass(slots=True, kw_only=True)
class _Repair:
    """Repairs one text. ``found`` is where a piece of text stands next, so that none is looked for twice."""

    markup: str
    absolute: Absolute
    lowered: str = ""
    tags: list[_Tag] = field(default_factory=list)
    found: dict[str, int] = field(default_factory=dict)

    def result(self) -> str:
        self.lowered = in_lower_case(self.markup)
        self._read_tags()
        pieces: list[str] = []
        done = 0
        for tag in self.tags:
            change = self._change(tag) if tag.start >= done else None
            if change is not None:
                pieces += (self.markup[done : tag.start], change[0])
                done = change[1]
        return "".join(pieces) + self.markup[done:]

    def _read_tags(self) -> None:
        """List the tags that open elements, each with where it is closed; those in raw text are none."""
        opened: dict[str, list[_Tag]] = {}
        at = 0
        while match := _TAG.search(self.lowered, at):
            at = match.end()
            name = match[2]
            if name is None:
                end = self.markup.find("-->", at)
                at = len(self.markup) if end < 0 else end + 3
                continue
            if match[1]:
                if opened.get(name):
                    tag = opened[name].pop()
                    tag.inner_end, tag.end_of_all = match.start(), match.end()
                continue
            tag = _Tag(start=match.start(), end=at, name=name, written=self.markup[slice(*match.span(3))])
            self.tags.append(tag)
            if name in _RAW:
                at = self._close_raw(tag)
            elif name in _NESTED and not tag.is_self_closed:
                opened.setdefault(name, []).append(tag)

    def _close_raw(self, tag: _Tag) -> int:
        """Find the end of raw text, and return where to read on.

        Without an end, or when another such element begins before it, the element was not meant to hold what follows.
        """
        end = self._next(f"</{tag.name}", tag.end)
        again = self._next(f"<{tag.name}", tag.end)
        is_program = tag.name in _PROGRAM and not tag.is_self_closed
        if end < 0 or (0 <= again < end and not is_program):
            return tag.end
        closed = self.markup.find(">", end)
        tag.inner_end, tag.end_of_all = end, len(self.markup) if closed < 0 else closed + 1
        return tag.end_of_all

    def _next(self, text: str, at: int) -> int:
        known = self.found.get(text, 0)
        if known >= 0 and known < at:
            known = self.found[text] = self.lowered.find(text, at)
        return known

    def _change(self, tag: _Tag) -> tuple[str, int] | None:
        """Return what stands for an element, and where the text goes on; None leaves it as it is."""
        end = tag.end_of_all if tag.end_of_all is not None else tag.end
        match tag.name:
            case "script" | "style":
                return self._program(tag)
            case "iframe":
                return self._frame(tag.attributes), end
            case "math" | "svg":
                return self._drawing(tag)
            case "object" | "applet":
                return self._object(tag)
            case "video" | "audio" | "amp-video" | "amp-audio":
                return self._film(tag)
            case "amp-img" | "amp-anim":
                return tag_of("img", tag.attributes), tag.end
            case "source":
                return self._source(tag)
            case name if name in _SINGLE:
                return self._embed(tag), tag.end
            case _:
                return ("", tag.end) if tag.end_of_all is None else None

    def _program(self, tag: _Tag) -> tuple[str, int] | None:
        attributes = tag.attributes
        formula = _MATH_TYPE.fullmatch(attributes.get("type", ""))
        if formula and tag.inner_end is not None and tag.end_of_all is not None:
            return tex_markup(formula[1], formula[2], self._inside(tag, formula[1])), tag.end_of_all
        if gist := _GIST.match(self.absolute(attributes.get("src", "")) or ""):
            return _link(gist[0], attributes), tag.end_of_all or tag.end
        is_empty = tag.is_self_closed or "src" in attributes
        return ("", tag.end) if tag.end_of_all is None and is_empty else None

    def _inside(self, tag: _Tag, kind: str) -> str:
        inner = self.markup[tag.end : tag.inner_end]
        return visible_text(inner) if kind.lower() == "mml" else inner

    def _drawing(self, tag: _Tag) -> tuple[str, int]:
        if tag.inner_end is None or tag.end_of_all is None:
            return "", tag.end
        inner = self.markup[tag.end : tag.inner_end]
        if tag.name == "math":
            return formula_markup(tag.attributes.get("alttext", ""), inner), tag.end_of_all
        words = " ".join(visible_text(text) for text in _texts_of_drawing(inner))
        if "foreignobject" not in inner.lower() and (outside := _BREAKS_OUT.search(inner)):
            return "", tag.end + outside.start()
        return html.escape(" ".join(words.split()), quote=False), tag.end_of_all

    def _frame(self, attributes: Attributes) -> str:
        if is_tracker(attributes) or "hidden" in attributes:
            return ""
        for name in _FRAME_ADDRESSES:
            if (value := attributes.get(name, "").strip()) and is_address(value) and (found := self.absolute(value)):
                return _player_or_link(found, attributes)
        return ""

    def _object(self, tag: _Tag) -> tuple[str, int]:
        attributes = tag.attributes
        inner = self.markup[tag.end : min(tag.inner_end or tag.end, tag.end + _LOOKED_INTO)]
        parameters = [attributes_in(match[1]) for match in _PARAM.finditer(inner)]
        embedded = [attributes_in(match[1]).get("src", "") for match in _EMBED.finditer(inner)]
        named = [part.get("value", "") for part in parameters if part.get("name", "").lower() in _PARAMETERS]
        for value in (attributes.get("data", ""), *named, *embedded):
            address = self.absolute(value) if is_address(value.strip()) else None
            if address is None:
                continue
            is_picture = attributes.get("type", "").lower().startswith("image/")
            if is_picture and not _SHOWN_INSTEAD.search(inner):
                return tag_of("img", {"src": address, "alt": attributes.get("title", "")}), tag.end
            if player := player_of(address):
                shown = _frame_markup(player, attributes)
                return shown, tag.end_of_all if tag.end_of_all is not None else tag.end
            # What is in it is shown when it is not: that says more than a link.
            return ("" if _SHOWN_INSTEAD.search(inner) else _link(address, attributes)), tag.end
        return "", tag.end

    def _embed(self, tag: _Tag) -> str:
        attributes = tag.attributes
        number = attributes.get("data-videoid") or attributes.get("videoid") or attributes.get("data-trackid") or ""
        known = {
            "amp-youtube": "https://www.youtube.com/embed/{}",
            "lite-youtube": "https://www.youtube.com/embed/{}",
            "amp-vimeo": "https://player.vimeo.com/video/{}",
            "lite-vimeo": "https://player.vimeo.com/video/{}",
            "amp-dailymotion": "https://www.dailymotion.com/video/{}",
            "amp-soundcloud": "https://w.soundcloud.com/player/?url=https%3A%2F%2Fapi.soundcloud.com%2Ftracks%2F{}",
            "amp-twitter": "https://twitter.com/i/status/{}",
            "amp-instagram": "https://www.instagram.com/p/{}/",
            "amp-gist": "https://gist.github.com/{}",
        }.get(tag.name)
        for name in ("data-tweetid", "data-shortcode", "data-gistid"):
            number = number or attributes.get(name, "")
        if known and re.fullmatch(r"[\w-]{1,64}", number):
            return _player_or_link(known.format(number), attributes)
        if tag.name == "oembed":
            attributes = {"src": attributes.get("url", "")}
        elif "data-href" in attributes:
            attributes = {**attributes, "src": attributes["data-href"]}
        return self._frame(attributes)

    def _film(self, tag: _Tag) -> tuple[str, int] | None:
        attributes = tag.attributes
        name = tag.name.removeprefix("amp-")
        source = attributes.get("src", "").strip()
        if not (source and is_address(source)):
            known_to_scripts = (value for value in attributes.values() if _FILM.search(value) and is_address(value))
            source = lazy_address(attributes) or next(known_to_scripts, source)
        poster = attributes.get("poster") or attributes.get("data-poster") or ""
        kept = {key: value for key, value in attributes.items() if key in _KEPT_OF_FRAMES}
        kept.update({key: value for key, value in (("src", source), ("poster", poster)) if value})
        if tag.end_of_all is not None:
            is_same = source == attributes.get("src", "").strip() and poster == attributes.get("poster", "")
            return None if is_same else (tag_of(name, kept), tag.end)
        # It was not meant to hold the rest of the article.
        match = _SOURCES.match(self.markup, tag.end)
        end = tag.end if tag.is_self_closed or match is None else match.end()
        return f"{tag_of(name, kept)}{self.markup[tag.end : end]}</{name}>", end

    def _source(self, tag: _Tag) -> tuple[str, int] | None:
        attributes = tag.attributes
        kind = attributes.get("type", "")
        lazy = lazy_address(attributes)
        if attributes.get("src") or not lazy or not (kind.startswith(("video/", "audio/")) or _FILM.search(lazy)):
            return None
        return tag_of("source", {"src": lazy, **({"type": kind} if kind else {})}), tag.end


def _texts_of_drawing(inner: str) -> list[str]:
    """Return the pieces of a drawing that are text: what is inside of ``text`` and ``foreignObject``."""
    lowered = inner.lower()
    texts: list[str] = []
    at = 0
    while match := _TEXT_OF_DRAWING.search(inner, at):
        end = lowered.find(f"</{match[1].lower()}", match.end()) if len(lowered) == len(inner) else -1
        at = len(inner) if end < 0 else end
        texts.append(inner[match.end() : at])
    return texts


def player_of(address: str) -> str | None:
    """Return the address of a known player for an address, over https; None if it is of none."""
    if film := _YOUTUBE.match(address):
        return f"https://www.youtube.com/embed/{film[1]}"
    secure = re.sub("^http:", "https:", address, flags=re.IGNORECASE)
    return secure if secure.startswith(_PLAYERS) else None


def _player_or_link(address: str, attributes: Attributes) -> str:
    player = player_of(address)
    return _frame_markup(player, attributes) if player else _link(address, attributes)


def _frame_markup(address: str, attributes: Attributes) -> str:
    kept = {name: value for name, value in attributes.items() if name in _KEPT_OF_FRAMES or name == "src"}
    kept["src"] = address
    return f"{tag_of('iframe', kept)}</iframe>"


def _link(address: str, attributes: Attributes) -> str:
    """Return a link in the place of what is not shown: with its title, and the host that it leads to."""
    host = urlsplit(address).hostname or ""
    title = plain(attributes.get("title", ""))[:_LONGEST_LABEL]
    label = f"{title} ({host})" if title else host
    return f' <a href="{html.escape(address)}">{html.escape(label)}</a> '


def _with_lazy_player(match: re.Match[str], absolute: Absolute, shown: set[str]) -> str:
    """Return an element that a script fills, with the player or link that it stands for, unless that is there too."""
    if "data-" not in match[1]:
        return match[0]
    attributes = attributes_in(match[1])
    if player := _lazy_player(attributes, match[1].lower(), absolute):
        return match[0] if player in shown else _frame_markup(player, {}) + match[0]
    is_post = attributes.get("class", "").startswith("fb-")
    page = attributes.get("data-instgrm-permalink") or (attributes.get("data-href", "") if is_post else "")
    address = absolute(page) if page else None
    return match[0] if address is None or address in shown else match[0] + _link(address, {})


def _lazy_player(attributes: Attributes, words: str, absolute: Absolute) -> str | None:
    for name in _FRAME_ADDRESSES[1:]:
        address = absolute(attributes[name]) if is_address(attributes.get(name, "").strip()) else None
        if address and (player := player_of(address)):
            return player
    number = next((attributes[name] for name in _FILM_NUMBERS if name in attributes), "")
    if "youtube" in words and re.fullmatch(r"[\w-]{11}", number):
        return f"https://www.youtube.com/embed/{number}"
    return (
        f"https://player.vimeo.com/video/{number}" if "vimeo" in words and re.fullmatch(r"\d{5,12}", number) else None
    )
