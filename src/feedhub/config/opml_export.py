"""OPML subscriptions out: what other readers need to follow the same sources (SPEC §2 ``export``)."""

from collections.abc import Iterable

from lxml import etree

from feedhub.model.settings import Settings
from feedhub.model.source import Source
from feedhub.rules.text import plain


def subscriptions_opml(settings: Settings) -> bytes:
    """Return OPML 2.0 with a folder per category; the same settings give the same bytes.

    A source of several categories stands in the folder of its first; its ``category`` attribute lists the others.
    Local files, and addresses that hold a secret, are of no use or none of the business of others: they stay out.
    """
    titles = {category.slug: plain(category.title) for category in settings.categories}
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = plain(settings.site.title)
    body = etree.SubElement(root, "body")
    sources = [source for source in settings.sources if _is_public(source, settings.secrets)]
    for slug in [*titles, None]:
        filed = [source for source in sources if next(iter(source.categories), None) == slug]
        if not filed:
            continue
        folder = body if slug is None else etree.SubElement(body, "outline", text=titles[slug])
        for source in filed:
            name = plain(source.name)
            outline = etree.SubElement(folder, "outline", type="rss", text=name, title=name, xmlUrl=source.url)
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
