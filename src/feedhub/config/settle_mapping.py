"""From the checked sections of a mapped source to the nouns of the model."""

from collections.abc import Iterator

from feedhub.config.schema_mapping import (
    DetailSection,
    FieldSection,
    FieldsSection,
    PagesSection,
    SourceCategorySection,
)
from feedhub.config.schema_sources import SourceSection
from feedhub.model.mapping import CategoryMap, DetailMap, FieldMap, PageMap, RecordMap


def record_map(section: SourceSection) -> RecordMap | None:
    """Return the map of the records; None for a feed."""
    if section.fields is None:
        return None
    return RecordMap(fields=_fields(section.fields), items=section.items, where=section.where, error=section.error)


def detail_map(section: DetailSection | None) -> DetailMap | None:
    """Return the map of the second request, if there is one."""
    if section is None:
        return None
    return DetailMap(
        url=section.url,
        path=section.content,
        css=section.css,
        extract=section.extract,
        fields=_fields(section.fields) if section.fields else (),
        replace=tuple(section.replace),
        headers=tuple(sorted(section.headers.items())),
    )


def page_map(section: PagesSection | None) -> PageMap | None:
    """Return how further pages are found, if they are."""
    if section is None:
        return None
    return PageMap(**{name: getattr(section, name) for name in type(section).model_fields})


def category_map(section: SourceCategorySection) -> CategoryMap | None:
    """Return the map of a category per value; None where the categories are named."""
    if section.from_ is None:
        return None
    title = section.title or f"{{{section.from_}}}"
    return CategoryMap(field=section.from_, title=title, slug=section.slug)


def request_headers(section: SourceSection) -> Iterator[tuple[str, str]]:
    """Yield the headers of the list's request, those too that cookies and a JSON body bring along."""
    yield from sorted(section.headers.items())
    if section.cookies:
        yield "Cookie", "; ".join(f"{name}={value}" for name, value in section.cookies.items())
    if section.body and section.body.is_json and "content-type" not in map(str.lower, section.headers):
        yield "Content-Type", "application/json"


def _fields(section: FieldsSection) -> tuple[tuple[str, FieldMap], ...]:
    return tuple((name, _field(field)) for name, field in section.given())


def _field(section: FieldSection) -> FieldMap:
    return FieldMap(
        paths=tuple(section.css or section.path),
        template=section.template,
        match=section.match,
        strip=section.strip,
        limit=section.limit,
        formats=tuple(section.format),
        base=section.base,
        kind=section.kind,
    )
