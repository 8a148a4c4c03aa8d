"""OPML subscriptions in and out (SPEC §2 ``import``, ``export``); what is left out on the way in is reported."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from lxml import etree
from lxml.etree import _Element as XmlElement

from feedhub.config.files import escaped
from feedhub.errors import UsageError
from feedhub.model.output import Category
from feedhub.model.settings import Settings
from feedhub.model.source import Source, SourceState
from feedhub.rules.categorize import RESERVED_SLUGS, UniqueSlugs, category_slug, slug_fault
from feedhub.rules.health import shown_title
from feedhub.rules.text import plain
from feedhub.rules.urls import comparable_url, public_url, without_feed_scheme

_LARGEST: Final = 20_000_000
_MOST_FOLDERS: Final = 8
_BARE_AMPERSAND: Final = re.compile(rb"&(?!#?[A-Za-z0-9]{1,32};)")
_UNSAFE: Final = re.compile(r"[/\\\x00-\x1f\x7f]+|\.{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One feed of the list. ``categories`` are the names of the folders around it, outermost first.

    Of folders inside of folders, only the innermost are kept: an import must not make thousands of memberships of one.
    """

    title: str
    url: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An entry that was not taken, and why."""

    title: str
    url: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpmlImport:
    """What an OPML file offers. ``repeats`` name an address that stands in the list already (SPEC §4, key 2)."""

    subscriptions: tuple[Subscription, ...]
    skipped: tuple[Skipped, ...] = ()
    repeats: tuple[Skipped, ...] = ()


def read_opml(data: bytes) -> OpmlImport:
    """Return the feeds of an OPML document; a sloppy one is read as far as it goes.

    Raises:
        UsageError: it is no OPML, is larger than 20 MB, or declares entities.
    """
    taken: dict[str, Subscription] = {}
    skipped: list[Skipped] = []
    repeats: list[Skipped] = []
    unnamed: dict[str, str] = {}
    too_far: dict[str, None] = {}
    for outline, folders in _outlines(_root(data)):
        url = _attribute(outline, "xmlUrl")
        title = _attribute(outline, "title") or _attribute(outline, "text")
        if not url:
            if _attribute(outline, "type").lower() in {"rss", "atom"}:
                skipped.append(Skipped(title=title, url="", reason="has no address"))
            continue
        address = without_feed_scheme(url)
        reason = _unusable(address)
        if reason:
            skipped.append(Skipped(title=title, url=url, reason=reason))
            continue
        key = comparable_url(address)
        if key in taken:
            repeats.append(
                Skipped(title=title, url=url, reason=f"the same feed as {taken[key].title or taken[key].url}")
            )
            continue
        too_far.update(dict.fromkeys(folders[:-_MOST_FOLDERS]))
        names = [*folders[-_MOST_FOLDERS:], *_listed(_attribute(outline, "category"))]
        taken[key] = Subscription(title=title, url=address, categories=tuple(dict.fromkeys(_usable(names, unnamed))))
    skipped += [
        Skipped(title=name, url="", reason=f"cannot name a category: it {why}") for name, why in unnamed.items()
    ]
    skipped += [
        Skipped(title=name, url="", reason=f"names no category of what lies more than {_MOST_FOLDERS} folders below it")
        for name in too_far
    ]
    return OpmlImport(subscriptions=tuple(taken.values()), skipped=tuple(skipped), repeats=tuple(repeats))


def sources_yaml(
    subscriptions: Sequence[Subscription],
    taken_names: Collection[str],
    known: Sequence[Category] = (),
    *,
    with_titles: bool = True,
) -> str:
    """Return ``sources:`` in YAML for an included file, with names that are neither repeated nor in ``taken_names``.

    ``with_titles`` keeps those that the list gives, which a reader may have chosen.
    Before them stand ``categories:`` for names such as "Health", whose own slug is reserved, unless one of
    ``known`` has that title.
    """
    names = UniqueSlugs(taken_names)
    entries: list[dict[str, Any]] = []
    for subscription in subscriptions:
        host = urlsplit(subscription.url).hostname or "source"
        wished = category_slug(subscription.title) or category_slug(host.replace(".", "-")) or "source"
        name = names.take(wished)
        entry: dict[str, Any] = {"name": name, "url": escaped(subscription.url)}
        title = plain(subscription.title)
        if with_titles and title and title != name:
            entry["title"] = escaped(title)
        if subscription.categories:
            categories = [escaped(category) for category in subscription.categories]
            entry["category"] = categories[0] if len(categories) == 1 else categories
        entries.append(entry)
    declared = _declared([name for each in subscriptions for name in each.categories], known)
    document = {**({"categories": declared} if declared else {}), "sources": entries}
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=1000)


def _declared(names: Sequence[str], known: Sequence[Category]) -> dict[str, dict[str, str]]:
    """Return the categories that must be declared, because their names alone give no slug that may be used."""
    titles = {category.title.casefold() for category in known}
    slugs = UniqueSlugs(RESERVED_SLUGS.union(category.slug for category in known))
    declared: dict[str, dict[str, str]] = {}
    for name in names:
        if category_slug(name) in RESERVED_SLUGS and name.casefold() not in titles:
            titles.add(name.casefold())
            declared[slugs.take(category_slug(name))] = {"title": escaped(name)}
    return declared


def _root(data: bytes) -> XmlElement:
    if len(data) > _LARGEST:
        raise UsageError(f"the OPML file is larger than {_LARGEST // 10**6} MB")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, recover=True
    )
    try:
        # Lists written by hand often hold bare ampersands; the parser would drop what follows in the address.
        root = etree.fromstring(_BARE_AMPERSAND.sub(b"&amp;", data), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UsageError("the file is no OPML: it cannot be read as XML") from error
    if root is None or not isinstance(root.tag, str) or root.tag.lower() != "opml":
        raise UsageError("the file is no OPML: its root element is not <opml>")
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise UsageError("the OPML file declares entities; no feed reader writes those, so it is not read")
    return root


def _outlines(root: XmlElement) -> Iterator[tuple[XmlElement, tuple[str, ...]]]:
    """Yield every outline in document order with the names of the folders around it."""
    waiting: list[tuple[XmlElement, tuple[str, ...]]] = [(root, ())]
    while waiting:
        element, folders = waiting.pop()
        if element.tag == "outline":
            yield element, folders
            if not _attribute(element, "xmlUrl"):
                name = _attribute(element, "text") or _attribute(element, "title")
                folders = (*folders, name) if name else folders
        waiting.extend((child, folders) for child in reversed(element) if isinstance(child.tag, str))


def _attribute(element: XmlElement, name: str) -> str:
    """Return an attribute without regard to case: writers disagree about ``xmlUrl``."""
    for key in element.attrib:
        if str(key).lower() == name.lower():
            return " ".join(_value(element, key).split())
    return ""


def _value(element: XmlElement, key: str) -> str:
    try:
        return str(element.get(key))
    except UnicodeDecodeError:
        return "\ufffd"  # a reference to half of a character, which the recovering parser lets through


def _unusable(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no address that can be read"
    if parts.scheme.lower() not in {"http", "https"}:
        return f'"{parts.scheme}:" is not taken, only http and https' if parts.scheme else "is no web address"
    return "" if host and " " not in address else "is no address that can be read"


def _listed(category: str) -> list[str]:
    """Return the names in a ``category`` attribute: comma-separated, with paths such as ``/a/b`` (OPML 2.0)."""
    return [name.strip() for path in category.split(",") for name in path.split("/") if name.strip()]


def _usable(names: Sequence[str], unnamed: dict[str, str]) -> Iterator[str]:
    """Yield names of categories, made fit for file names; those that cannot be go to ``unnamed`` with the reason."""
    for name in names:
        cleaned = " ".join(_UNSAFE.sub(" ", name).split()).lstrip(".").strip()
        reason = slug_fault(cleaned)
        if reason is None or category_slug(cleaned) in RESERVED_SLUGS:
            yield cleaned
        else:
            unnamed[name] = reason


def without_configured(offered: OpmlImport, settings: Settings) -> OpmlImport:
    """Return the subscriptions that no source has; the others become ``repeats``."""
    configured = {comparable_url(source.url): source.name for source in settings.sources}
    new: list[Subscription] = []
    repeats = list(offered.repeats)
    for each in offered.subscriptions:
        name = configured.get(comparable_url(each.url))
        if name is None:
            new.append(each)
        else:
            repeats.append(Skipped(title=each.title, url=each.url, reason=f"configured already as {name}"))
    return replace(offered, subscriptions=tuple(new), repeats=tuple(repeats))


def subscriptions_opml(settings: Settings, states: Iterable[SourceState] = ()) -> bytes:
    """Return OPML 2.0 with a folder per category; the same settings and titles give the same bytes.

    ``states`` know what the documents of sources call themselves, and the pages that they belong to.

    A source of several categories stands in the folder of its first; its ``category`` attribute lists the others.
    Local files are left out, which nobody else can read, and addresses that hold a secret.
    """
    titles = {category.slug: plain(category.title) for category in settings.categories}
    known = {state.name: state for state in states}
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = plain(settings.site.title)
    body = etree.SubElement(root, "body")
    by_first: dict[str | None, list[Source]] = {}
    for source in settings.sources:
        if _is_public(source, settings.secrets):
            by_first.setdefault(next(iter(source.categories), None), []).append(source)
    for slug in [*titles, None]:
        filed = by_first.get(slug)
        if not filed:
            continue
        folder = body if slug is None else etree.SubElement(body, "outline", text=titles[slug])
        for source in filed:
            state = known.get(source.name, SourceState(name=source.name))
            title = plain(shown_title(source, state)) or plain(source.name)
            outline = etree.SubElement(folder, "outline", type="rss", text=title, title=title, xmlUrl=source.url)
            if page := public_url(state.link, settings.secrets):
                outline.set("htmlUrl", page)
            if source.categories[1:]:
                outline.set("category", ",".join(_labels(source.categories[1:], titles)))
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return written


def _is_public(source: Source, secrets: Iterable[str]) -> bool:
    return source.url.startswith(("http://", "https://")) and not any(secret in source.url for secret in secrets)


def _labels(slugs: Iterable[str], titles: dict[str, str]) -> Iterable[str]:
    """Yield titles, or slugs where a title would be read as several names."""
    for slug in slugs:
        yield slug if {",", "/"} & set(titles[slug]) else titles[slug]
