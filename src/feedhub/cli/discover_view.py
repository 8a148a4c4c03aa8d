"""What ``discover`` says: sources ready to paste."""

from collections.abc import Collection, Sequence
from typing import Any

from feedhub.config.opml_import import Subscription, sources_yaml
from feedhub.sources.discover import DiscoveredFeed


def discovered_yaml(found: Sequence[DiscoveredFeed], taken: Collection[str]) -> str:
    """Return entries for the list ``sources:``, with names that no source in ``taken`` has."""
    subscriptions = [Subscription(title=feed.title, url=feed.url) for feed in found]
    return sources_yaml(subscriptions, taken).removeprefix("sources:\n")


def discovered_json(found: Sequence[DiscoveredFeed]) -> list[dict[str, Any]]:
    """Return what ``discover --json`` prints."""
    return [{"url": feed.url, "title": feed.title, "media_type": feed.media_type} for feed in found]
