"""What all pages of a site share, published ones and those that are made on request: templates, words, feeds."""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property, lru_cache
from itertools import count
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup, escape

from feedhub.model.item import Sent
from feedhub.model.output import PAGE_POLICY, Category, OutputFormat, OutputSettings, Site, page_policy
from feedhub.publish.addresses import (
    CATEGORIES_PATH,
    FRONT_PATH,
    ICON_PATH,
    SEARCH_PAGE,
    SOURCES_PATH,
    STYLE_PATH,
    SUBSCRIBE_PATH,
    feed_path,
    feed_url,
    list_path,
)
from feedhub.publish.entry import language_tag, safe_line
from feedhub.publish.formats import FORMATS
from feedhub.publish.index import OPML_PATH
from feedhub.publish.page_texts import PageTexts
from feedhub.publish.templating import MakeTemplates, PageTemplates
from feedhub.rules.language import direction_of_language
from feedhub.rules.select import ALL

_MOST_PLACES: Final = 8
ROOT: Final = "\0"
"""Stands in what is kept for the way from a page to the root of the site. No text of a page holds it."""
_TEXT: Final = "\1"
_MOST_PIECES: Final = 200_000
_PLAIN_POLICY: Final = Markup(page_policy(pictures=False, media=False, frames=False))  # noqa: S704 - is our own
"""What pages without texts of articles may load."""
_NO_TEMPLATES: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLink:
    """A feed on a page: ``path`` from the root of the site, ``url`` to be copied."""

    name: str
    title: str
    path: str
    url: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An entry of the navigation."""

    title: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHead(Sent):
    """What templates call ``page``: the part that all pages have. ``root`` leads from it to the root of the site.

    ``slug`` is the output that its Subscribe button leads to, ``place`` the path of the entry of the navigation that
    is marked.
    """

    title: str
    description: str
    root: str
    canonical: str
    kind: str = "website"
    image: str | None = None
    feeds: tuple[FeedLink, ...] = ()
    slug: str = ALL
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A feed reader, and its address that subscribes to a feed."""

    name: str
    url: str


_READERS: Final = (
    ("Feedly", "https://feedly.com/i/subscription/feed%2F{}"),
    ("Inoreader", "https://www.inoreader.com/?add_feed={}"),
    ("NewsBlur", "https://www.newsblur.com/?url={}"),
    ("The Old Reader", "https://theoldreader.com/feeds/subscribe?url={}"),
)


@lru_cache(maxsize=1024)
def readers_of(url: str) -> tuple[Reader, ...]:
    """Return the readers that subscribe to a feed at a click."""
    asked = quote(url, safe="")
    return tuple(Reader(name=name, url=address.format(asked)) for name, address in _READERS)


class PageFrame:
    """Renders pages of one site by its templates. Safe to call from many threads at once.

    ``categories`` are those of the configuration, of which the first stand in the navigation. ``added`` are formats of
    other packages, ``templates`` those that only pages on request have. ``make`` makes the templates of the owner's and
    those, as ``PageTemplates`` does.
    """

    def __init__(
        self,
        site: Site,
        output: OutputSettings,
        words: PageTexts,
        categories: Sequence[Category] = (),
        added: Sequence[OutputFormat] = (),
        templates: Mapping[str, str] = _NO_TEMPLATES,
        make: MakeTemplates = PageTemplates,
    ) -> None:
        self.formats = tuple(one for one in (*FORMATS.formats, *added) if one.name in output.formats)
        self.templates = make(output.templates, templates)
        self._site = site
        self._title = safe_line(site.title)
        self._links: dict[tuple[str, str], tuple[FeedLink, ...]] = {}
        self._shapes: dict[Hashable, list[str | int]] = {}
        self._pieces = 0
        self._words = words
        has_own = any(name.endswith(".html") for name, _ in output.templates)
        self.policy = Markup(PAGE_POLICY) if has_own else None  # noqa: S704 - is our own
        """What pages by templates of the owner's may load, who knows what they show; ours say it one by one."""
        self.places = self.places_of((each.slug, safe_line(each.title)) for each in categories[:_MOST_PLACES])
        self._shared = {
            "site": _site_values(site),
            "words": dict(words.texts),
            "words_language": words.language,
            "policy": self.policy or _PLAIN_POLICY,
            "front_path": FRONT_PATH,
            "style": STYLE_PATH,
            "icon": ICON_PATH,
            "places": self.places,
            "sources_path": SOURCES_PATH,
            "subscribe_path": SUBSCRIBE_PATH,
            "opml_path": OPML_PATH,
            "search_path": SEARCH_PAGE if output.search else None,
        }

    def render(self, template: str, head: PageHead, values: Mapping[str, object]) -> bytes:
        """Return a page; ``values`` may replace what all pages share.

        Raises:
            PublishError: the template cannot be used, or fails on these values.
        """
        return self.templates.render(template, self._values(head, values))

    def fill(self, template: str, head: PageHead, values: Mapping[str, object]) -> bytes:
        """Return the same page; pages that differ in nothing but their texts are rendered once for all of them.

        Only where all templates are ours: those of the owner may do more with a text than show it.

        Raises:
            PublishError: the template fails on these values.
        """
        if not self.templates.is_ours:
            return self.render(template, head, values)
        is_titled = head.title == self._title
        facts = {
            "title": None if is_titled else head.title,
            "description": head.description,
            "canonical": head.canonical,
            "image": head.image,
        }
        key = template, head.root, head.kind, head.feeds, head.slug, head.place, is_titled

        def render(marked: Mapping[str, Any]) -> str:
            shown = {name: text for name, text in marked["page"].items() if text is not None}
            return self.render(template, replace(head, **shown), marked["values"]).decode()

        return self._filled(key, {"page": facts, "values": values}, render)

    def draw(self, macro: str, value: object, *options: bool) -> bytes:
        """Return what one of our macros makes of a value, with ``ROOT`` for the way to the root of the site."""
        made = self._macros[macro]
        return self._filled((macro, *options), value, lambda marked: str(made(marked, *options)))

    def _filled(self, key: Hashable, value: object, render: Callable[[Any], str]) -> bytes:
        """Return what ``render`` makes of a value, by filling its texts into what it made of another of that shape."""
        texts: list[str] = []
        found: list[Any] = [key]
        _add_shape((value,), found, texts)
        shape = tuple(found)
        pieces = self._shapes.get(shape)
        if pieces is None:
            made = render(_marked(value, count())).split(_TEXT)
            pieces = [int(piece) if number % 2 else piece for number, piece in enumerate(made)]
            self._pieces += len(pieces)
            if self._pieces > _MOST_PIECES:
                self._shapes, self._pieces = {}, len(pieces)
            self._shapes[shape] = pieces
        filled = [texts[piece] if isinstance(piece, int) else piece for piece in pieces]
        return "".join(filled).encode("utf-8", "replace")

    def _values(self, head: PageHead, values: Mapping[str, object]) -> dict[str, object]:
        return {**self._shared, "page": head, "root": head.root, **values}

    @cached_property
    def _macros(self) -> Mapping[str, Callable[..., str]]:
        return self.templates.macros("macros.html", {**self._shared, "root": ROOT})

    def places_of(self, categories: Iterable[tuple[str, str]]) -> tuple[Place, ...]:
        """Return a navigation with some categories, each with slug and title."""
        words = self._words.texts
        return (
            Place(title=words["latest"], path=FRONT_PATH),
            Place(title=words["everything"], path=list_path(ALL)),
            *(Place(title=title or slug, path=list_path(slug)) for slug, title in categories),
            Place(title=words["categories"], path=CATEGORIES_PATH),
            Place(title=words["sources"], path=SOURCES_PATH),
        )

    def feeds(self, slug: str, name: str) -> tuple[FeedLink, ...]:
        """Return the feeds of an output."""
        found = self._links.get((slug, name))
        if found is None:
            found = self._links[slug, name] = tuple(self.feed(slug, name, one) for one in self.formats)
        return found

    def feed(self, slug: str, name: str, of: OutputFormat) -> FeedLink:
        """Return one feed of an output."""
        return FeedLink(
            name=of.title,
            title=safe_line(name) or slug,
            path=feed_path(slug, of.name),
            url=feed_url(self._site, slug, of.name),
            media_type=of.media_type,
        )


_SHARED: Final = frozenset({FeedLink, Place, Reader})
"""What is the same in many pages belongs to their shape."""
_ESCAPED: Final = re.compile("[&<>\"']")


@lru_cache(maxsize=64)
def _parts_of(kind: Any) -> Callable[[Any], tuple[Any, ...]] | None:
    """Return what gives the values of a noun that is no part of a shape; None for a value that is one whole."""
    if not is_dataclass(kind) or kind in _SHARED:
        return None
    names = tuple(kind.__dataclass_fields__)
    return attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)


def _add_shape(values: Iterable[Any], shape: list[Any], texts: list[str]) -> None:
    """Add to ``shape`` all of some values but their texts, and those to ``texts``, escaped; empty ones are told."""
    for value in values:
        kind: Any = type(value)
        if kind is str or kind is Markup:
            shape.append(_TEXT if value else "")
            if value:
                texts.append(escape(value) if kind is str and _ESCAPED.search(value) else value)
        elif kind is tuple or kind is list:
            shape.append((len(value),))
            _add_shape(value, shape, texts)
        elif kind is dict:
            shape.append(tuple(value))
            _add_shape(value.values(), shape, texts)
        elif value is not None and (parts := _parts_of(kind)) is not None:
            shape.append(kind)
            _add_shape(parts(value), shape, texts)
        else:
            shape.append(value)


def _marked(value: Any, number: Iterator[int]) -> Any:
    """Return a value with numbers in the places of the texts that ``_add_shape`` adds, in that order."""
    kind = type(value)
    if kind is str or kind is Markup:
        return f"{_TEXT}{next(number)}{_TEXT}" if value else value
    if kind is tuple or kind is list:
        return kind(_marked(each, number) for each in value)
    if kind is dict:
        return {name: _marked(each, number) for name, each in value.items()}
    if is_dataclass(kind) and kind not in _SHARED:
        return replace(value, **{name: _marked(getattr(value, name), number) for name in kind.__dataclass_fields__})
    return value


def _site_values(site: Site) -> dict[str, str]:
    return {
        "title": safe_line(site.title),
        "url": site.url,
        "language": language_tag(site.language) or "en",
        "direction": direction_of_language(site.language),
        "author": safe_line(site.author),
        "description": safe_line(site.description),
    }
