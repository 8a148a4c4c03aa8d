"""From checked sections to sources: every default filled in, every address and category resolved."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from feedhub.config.addresses import source_address
from feedhub.config.categories import CategoryTable
from feedhub.config.schema_sources import IdentitySection, SourceSection
from feedhub.config.section import ConfigFile
from feedhub.config.settle_mapping import category_map, detail_map, page_map, record_map, request_headers
from feedhub.model.identity import KeyPattern
from feedhub.model.output import Site
from feedhub.model.source import PollSettings, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a source takes from the rest of the configuration."""

    root: str
    site: Site
    poll: PollSettings
    identity: dict[str, IdentitySection]
    categories: CategoryTable


def settled_source(section: SourceSection, file: ConfigFile, index: int, broken: str | None, given: Defaults) -> Source:
    """Return the source that ``section`` describes; ``broken`` says why it cannot be used, if it cannot."""
    address = source_address(section.url, given.root)
    headers = list(request_headers(section))
    if address.authorization:
        headers.append(("Authorization", address.authorization))
    source = Source(
        name=section.name,
        url=address.url,
        kind=section.kind,
        categories=given.categories.slugs_of(section.category.also),
        every=section.every if isinstance(section.every, float) else None,
        schedule=section.schedule,
        auto=section.every == "auto",
        paused=section.paused,
        encoding=section.encoding,
        timezone=section.timezone or given.site.timezone,
        headers=tuple(headers),
        proxy=section.proxy,
        limit=section.limit,
        content=section.content,
        identity=key_patterns({**given.identity, **section.identity}),
        timeout=section.timeout or given.poll.timeout,
        max_size=section.max_size or given.poll.max_size,
        user_agent=section.user_agent or given.poll.user_agent,
        place=f"{file.shown}:{file.line(('sources', index))}",
        broken=broken,
        method=section.method,
        body=section.body.text if section.body else None,
        records=record_map(section),
        detail=detail_map(section.detail),
        pages=page_map(section.pages),
        category_map=category_map(section.category),
        sign=section.sign,
        stale_after=section.stale_after,
    )
    return replace(source, settings_digest=_settings_digest(source))


def _settings_digest(source: Source) -> str:
    """Return the digest of what decides what a document means; headers and cookies only open the door to it."""
    detail = replace(source.detail, headers=()) if source.detail else None
    parts = [asdict(part) if part else None for part in (source.records, detail, source.pages, source.category_map)]
    return digest(
        source.kind,
        source.url,
        source.encoding,
        source.timezone,
        source.limit,
        source.content,
        [asdict(pattern) for pattern in source.identity],
        source.method,
        source.body,
        parts,
        source.sign,
    )


def key_patterns(identity: dict[str, IdentitySection]) -> tuple[KeyPattern, ...]:
    """Return named keys in the order they are given, the global ones first."""
    return tuple(
        KeyPattern(name=name, fields=tuple(section.from_), pattern=section.pattern)
        for name, section in identity.items()
    )


def digest(*facts: Any) -> str:
    """Return the SHA-256 in hex of facts that JSON can write."""
    text = json.dumps(facts, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
