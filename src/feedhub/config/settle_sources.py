"""From checked sections to sources: every default filled in, every address and category resolved."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from feedhub.config.addresses import source_address
from feedhub.config.categories import CategoryTable
from feedhub.config.schema_sources import IdentitySection, SourceSection
from feedhub.config.section import ConfigFile
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
    headers = sorted(section.headers.items())
    if address.authorization:
        headers.append(("Authorization", address.authorization))
    patterns = key_patterns({**given.identity, **section.identity})
    timezone = section.timezone or given.site.timezone
    return Source(
        name=section.name,
        url=address.url,
        kind=section.kind,
        categories=given.categories.slugs_of(section.category),
        every=section.every if isinstance(section.every, float) else None,
        schedule=section.schedule,
        auto=section.every == "auto",
        paused=section.paused,
        encoding=section.encoding,
        timezone=timezone,
        headers=tuple(headers),
        proxy=section.proxy,
        limit=section.limit,
        content=section.content,
        identity=patterns,
        timeout=section.timeout or given.poll.timeout,
        max_size=section.max_size or given.poll.max_size,
        user_agent=section.user_agent or given.poll.user_agent,
        place=f"{file.shown}:{file.line(('sources', index))}",
        broken=broken,
        settings_digest=digest(
            section.kind,
            address.url,
            section.encoding,
            timezone,
            section.limit,
            section.content,
            [asdict(pattern) for pattern in patterns],
        ),
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
